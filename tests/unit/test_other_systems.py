"""What differs between systems: modules and functions that Windows and macOS lack.

Only Linux is tried here. These tests take away what other systems don't have, and force what they use
instead.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from videos import number_of, picture

from centerclip import atomic
from centerclip.errors import VideoError
from centerclip.video import Decoders, VideoReader, cut_excerpt, read_still, sharing

_WITHOUT = """
import importlib, os, pkgutil, signal, socket, sys
import centerclip

def load():
    package = importlib.import_module("centerclip")
    found = [module.name for module in pkgutil.walk_packages(package.__path__, "centerclip.")]
    for name in found:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    return len(found)

load()  # what others have written is loaded whole
for name in [name for name in sys.modules if name.split(".")[0] == "centerclip"]:
    del sys.modules[name]
for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty", "tty"):
    sys.modules[name] = None
for module, names in {
    os: ("register_at_fork", "memfd_create", "fork", "sched_getaffinity", "getuid", "sysconf", "killpg",
         "setsid", "MFD_CLOEXEC", "MFD_ALLOW_SEALING", "O_NOFOLLOW", "O_DIRECTORY"),
    socket: ("send_fds", "recv_fds"),
    signal: ("SIGXCPU", "SIGKILL", "SIGUSR1", "SIGHUP", "SIGALRM"),
}.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
print(load())
assert not importlib.import_module("centerclip.video.sharing").SHARES_FILES
"""


def test_every_module_can_be_imported_without_what_windows_lacks() -> None:
    command = [sys.executable, "-W", "ignore", "-c", _WITHOUT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 200


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoders]:
    """Decoders whose workers connect over the loopback, as on Windows."""
    monkeypatch.setattr(sharing, "SHARES_FILES", False)
    monkeypatch.setattr(Decoders, "_idle", type(Decoders._idle)())
    yield Decoders()
    Decoders.end_idle()


def test_files_are_decoded_without_shared_files(video: Callable[[str], Path], loopback: Decoders) -> None:
    with VideoReader(video("h264.mp4"), loopback) as reader:
        shown = list(reader.frames_at(np.arange(0, 4, 0.1) + 0.05))
        assert [number_of(picture) for _, picture in shown] == list(range(40))
        # Stopping in the middle, and asking again.
        next(iter(reader.frames_at([0.0, 1.0, 2.0])))
        assert [number_of(picture) for _, picture in reader.frames_at([3.05])] == [30]
        pictures = [picture for _, picture in reader.frames_at([0.0, 0.0, 1.0])]
        assert pictures[0] is pictures[1]
        pictures[0][:] = 0  # they belong to the caller
        assert number_of(pictures[2]) == 10


def test_pictures_and_excerpts_come_over_the_loopback(
    video: Callable[[str], Path], loopback: Decoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setattr("centerclip.video.reader._SHARED", loopback)
    Image.fromarray(picture(77)).save(tmp_path / "still.png")
    assert number_of(read_still(tmp_path / "still.png", 64)) == 77
    cut_excerpt(video("h264.mp4"), tmp_path / "part.mp4", start=1.0, end=2.0)
    assert (tmp_path / "part.mp4").stat().st_size > 1000


def test_a_file_that_cannot_be_decoded_is_an_error_over_the_loopback(
    loopback: Decoders, video: Callable[[str], Path]
) -> None:
    with pytest.raises(VideoError, match="text"):
        VideoReader(video("text.mp4"), loopback)


def test_a_killed_worker_is_replaced_over_the_loopback(
    loopback: Decoders, video: Callable[[str], Path]
) -> None:
    with VideoReader(video("h264.mp4"), loopback) as reader:
        os.kill(reader._worker._process.pid, signal.SIGKILL)
        assert [number_of(picture) for _, picture in reader.frames_at([1.05])] == [10]


def test_a_stranger_on_the_loopback_is_turned_away(
    loopback: Decoders, video: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    strangers: list[socket.socket] = []
    start = sharing._start

    def first(arguments: str, **more: object) -> subprocess.Popen[bytes]:
        address = eval(arguments.removeprefix("address="))
        strangers.append(socket.create_connection(address))
        strangers[0].sendall(b"x" * 32)
        return start(arguments, **more)

    monkeypatch.setattr(sharing, "_start", first)
    with VideoReader(video("h264.mp4"), loopback) as reader:
        assert reader.frames == 40
    assert strangers[0].recv(1) == b""
    strangers[0].close()


def test_a_worker_without_limits_ends_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from centerclip.video import worker

    monkeypatch.setattr(worker, "resource", None)
    assert worker._limit_processor_time(7) == pytest.approx(7 + time.process_time(), abs=1)
    sent: list[dict[str, object]] = []

    class _Sink:
        def send(self, message: dict[str, object], data: bytes = b"") -> None:
            sent.append(message)

    ended = worker._Worker(_Sink())  # type: ignore[arg-type]
    ended._beat, ended._budget_ends = -1e9, 0.0
    monkeypatch.setattr(os, "_exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    with pytest.raises(SystemExit):
        ended._tick()
    assert sent == [{"died": "processor time"}]


def test_waiting_for_the_disk_on_windows_skips_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    flags: list[int] = []
    opened = os.open

    class _Windows:
        name = "nt"
        O_RDWR, O_RDONLY = os.O_RDWR, os.O_RDONLY
        fsync, close = staticmethod(os.fsync), staticmethod(os.close)

        @staticmethod
        def open(path: Path, how: int) -> int:
            if Path(path).is_dir() or how != os.O_RDWR:
                raise PermissionError(path)
            flags.append(how)
            return opened(path, how)

    monkeypatch.setattr(atomic, "os", _Windows)
    atomic.sync(tmp_path)
    atomic.sync(file)
    assert flags == [os.O_RDWR]
