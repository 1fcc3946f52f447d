"""A Ray head and two nodes as separate processes; each kind of process is killed while a run indexes."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from index_run import content
from thorough import THOROUGH
from videos import make_video

pytestmark = pytest.mark.skipif(not THOROUGH, reason="takes a quarter of an hour; set THOROUGH=1")

COUNT = 400
"""A run has to go on when its first results are written, after 15 seconds."""
BEGINNING = 20
"""Results that the command has printed when something is killed."""
PATIENCE_SECONDS = 600
"""Only for a test that would never end; the machine may be slow."""


class Hosts:
    """The head, without processors, and two nodes of a processor each, in sessions of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "240",
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def start(self, name: str) -> None:
        """Start a host unless it runs; one at a time, because starting them together fails on few cores."""
        if name in self._processes:
            return
        if name == "head":
            port = self.address.partition(":")[2]
            role = ["--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false"]
            role.append(f"--temp-dir={self._folder}")
        else:
            role = [f"--address={self.address}", "--num-cpus=1"]
        log = self._folder / f"{name}.log"
        command = [Path(sys.executable).with_name("ray"), "start", "--block", *role]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, "--object-store-memory=200000000"],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        self._processes[name] = process
        wait_for(lambda: "runtime started" in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        for pid in self._pids(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def workers(self, name: str) -> list[int]:
        """The processes of a host that run tasks."""
        return [pid for pid in self._pids(self._processes[name].pid) if b"ray::centerclip" in command_of(pid)]

    def stop(self) -> None:
        for name in list(self._processes):
            self.kill(name)

    def _pids(self, session: int) -> list[int]:
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(ProcessLookupError):
                found += [int(name)] if os.getsid(int(name)) == session else []
        return found


def command_of(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it doesn't happen"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    folder = Path(f"/tmp/ray-{os.getpid()}")  # Ray's sockets need a short path
    folder.mkdir()
    hosts = Hosts(folder)
    yield hosts
    hosts.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(COUNT):
        make_video(folder / f"{number:03}.mp4", frames=30 + number % 7 * 20)
    for number in range(3):
        (folder / f"bad{number}.mp4").write_bytes(b"no video at all")
    return folder


@pytest.fixture(scope="module")
def here(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index that one machine makes."""
    place = tmp_path_factory.mktemp("here") / "index"
    command = [sys.executable, "-m", "centerclip", "index", videos, "--index", place, "--model", "nano"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 3
    return place


class Command:
    """`centerclip index --ray` in a process."""

    def __init__(self, hosts: Hosts, videos: Path, place: Path) -> None:
        self._out, self._err = place.with_suffix(".out"), place.with_suffix(".err")
        command = [sys.executable, "-m", "centerclip", "index", videos, "--index", place, "--model", "nano"]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, "--ray", hosts.address], stdout=out, stderr=err, env=hosts.environment
            )

    @property
    def lines(self) -> list[str]:
        return self._out.read_text().splitlines()

    @property
    def errors(self) -> str:
        return self._err.read_text()

    def begin(self) -> None:
        """Wait for the first results."""
        wait_for(lambda: len(self.lines) >= BEGINNING or self.process.poll() is not None)
        assert self.process.poll() is None, self.errors

    def end(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize("lost", ["worker", "halted worker", "node"])
def test_what_is_lost_is_done_again(
    hosts: Hosts, videos: Path, here: Path, tmp_path: Path, lost: str
) -> None:
    for name in ("head", "one", "two"):
        hosts.start(name)
    command = Command(hosts, videos, tmp_path / "index")
    command.begin()
    if lost == "node":
        hosts.kill("two")
    for worker in hosts.workers("two") if "worker" in lost else ():
        os.kill(worker, signal.SIGSTOP if lost == "halted worker" else signal.SIGKILL)
    assert command.end() == 3, command.errors
    assert content(tmp_path / "index") == content(here)
    assert len(command.lines) == COUNT + 3
    assert all(line.startswith(("indexed\t", "failed\t")) for line in command.lines)


@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGINT])
def test_the_same_command_goes_on(
    hosts: Hosts, videos: Path, here: Path, tmp_path: Path, ends: signal.Signals
) -> None:
    for name in ("head", "one", "two"):
        hosts.start(name)
    first = Command(hosts, videos, tmp_path / "index")
    first.begin()
    first.process.send_signal(ends)
    assert first.end() == (130 if ends == signal.SIGINT else -ends)
    done = {line.split("\t")[1] for line in first.lines if line.startswith("indexed")}
    again = Command(hosts, videos, tmp_path / "index")
    assert again.end() in (0, 3)
    assert not done & {line.split("\t")[1] for line in again.lines if line.startswith("indexed")}
    assert content(tmp_path / "index") == content(here)


def test_a_lost_head_ends_the_run(hosts: Hosts, videos: Path, here: Path, tmp_path: Path) -> None:
    for name in ("head", "one", "two"):
        hosts.start(name)
    command = Command(hosts, videos, tmp_path / "index")
    command.begin()
    hosts.kill("head")
    assert command.end() == 1
    # Either it noticed, or Ray ended it before and another process says so.
    wait_for(lambda: "error: " in command.errors)
    (line,) = re.findall("^error: .*$", command.errors, re.MULTILINE)
    assert "is lost" in line
    assert "run the same command to continue" in line
    hosts.stop()
    for name in ("head", "one", "two"):
        hosts.start(name)
    again = Command(hosts, videos, tmp_path / "index")
    assert again.end() in (0, 3), again.errors
    assert content(tmp_path / "index") == content(here)
