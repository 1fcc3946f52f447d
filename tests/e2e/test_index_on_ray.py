"""`centerclip index --ray` on a cluster of this process: the results of one machine, whatever is lost."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from command_line import Run, assert_refused
from index_run import content
from thorough import THOROUGH
from videos import make_video

from centerclip.distributed import Cluster, RayEncoder
from centerclip.distributed import encoder as driver
from centerclip.embedding import VideoEncoder
from centerclip.errors import ClusterError
from centerclip.index import VideoIndex
from centerclip.model import CenterCLIP
from centerclip.records import EncodedVideo, Failed, Item

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc")

COUNT = 36
"""More than two tasks' share, so that one is running when another's results arrive."""
TOKEN = secrets.token_hex(32)
"""Tells the processes of this test's cluster from those of others."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for all tests, because starting one and its workers takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        patch.setenv("RAY_raylet_start_wait_time_s", "240")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)
        if not THOROUGH:  # each worker imports torch
            patch.setattr("centerclip.distributed.cluster.available_cores", lambda: 1)
        with Cluster("local") as cluster:
            yield cluster


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(COUNT):
        make_video(folder / f"{number:02}.mp4", frames=8 + number)
    (folder / "bad.mp4").write_bytes(b"no video at all")
    return folder


@pytest.fixture
def encoder(cluster: Cluster, model: Path) -> RayEncoder:
    local = VideoEncoder(CenterCLIP.from_pretrained(model), device="cpu", window_seconds=2)
    return RayEncoder(local, cluster)


def encode(encoder: Any, folder: Path, **more: Any) -> dict[str, Any]:
    """Encode the files of a folder: numbers of each by its name, or the reason of a failure."""
    items = [Item(path) for path in sorted(folder.iterdir())]
    found: dict[str, Any] = {}
    with closing(encoder.embed(items, ordered=False, **more)) as results:
        for result in results:
            assert result.path.name not in found, "a file came twice"
            found[result.path.name] = numbers_of(result)
    return found


def numbers_of(result: EncodedVideo | Failed) -> Any:
    if isinstance(result, Failed):
        return result.reason
    return [
        (each.window, each.vector.tobytes(), each.segments.tobytes(), each.bounds.tobytes(), each.pictures)
        for each in result.windows
    ]


def workers_of(cluster: Cluster) -> list[int]:
    """The processes that run tasks: children of this process's node."""
    return [
        int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit() and is_worker(folder)
    ]


def is_worker(folder: Path) -> bool:
    try:
        if b"ray::centerclip" not in (folder / "cmdline").read_bytes():
            return False
        return TOKEN.encode() in (folder / "environ").read_bytes()
    except OSError:
        return False


def test_the_command_does_what_it_does_on_one_machine(
    run: Run, cluster: Cluster, videos: Path, model: Path, tmp_path: Path
) -> None:
    more = ("--model", model, "--window", "2")
    here = run("index", videos, "--index", tmp_path / "here", *more)
    there = run("index", videos, "--index", tmp_path / "there", *more, "--ray", "local")
    assert (there.code, there.rows) == (here.code, here.rows)
    assert here.code == 3
    assert content(tmp_path / "there") == content(tmp_path / "here")
    assert "Encoding on 1 node" in there.err
    assert f"Indexed {COUNT} videos" in there.err
    assert not (tmp_path / "there" / ".attempts.json").exists()
    again = run("index", videos, "--index", tmp_path / "there", "--ray", "local")
    assert (again.code, again.err.count("Skipped 1 unchanged file")) == (0, 1)
    assert {row[0] for row in again.rows} == {"skipped"}


def test_files_that_a_node_sees_otherwise_fail(
    encoder: RayEncoder, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_size_of", lambda path: 7 if path.name == "03.mp4" else 10**9)
    gone, other = tmp_path / "gone.mp4", videos / "03.mp4"
    with closing(encoder.embed([Item(gone), Item(other)])) as results:
        reasons = {result.path: result.reason for result in results if isinstance(result, Failed)}
    assert "can't see it (No such file or directory); mount its folder" in reasons[gone]
    assert f"it has {other.stat().st_size:,} bytes instead of 7; mount" in reasons[other]


def test_nodes_with_other_versions_are_refused(
    run: Run, cluster: Cluster, videos: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = driver.versions_of

    def newer(backend: str) -> dict[str, str]:
        return own(backend) | {"av": "99.0"}

    monkeypatch.setattr(driver, "versions_of", newer)
    done = run("index", videos, "--index", tmp_path / "index", "--model", model, "--ray", "local")
    assert done.code == 1
    assert (
        " instead of 99.0. Install the driver's versions on all nodes. What was encoded is kept" in done.err
    )
    assert VideoIndex(tmp_path / "index").videos() == []


def test_a_model_that_nodes_can_not_load_is_refused(
    encoder: RayEncoder, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_here = ModuleType("only_here")
    only_here.Name = type("Name", (str,), {"__module__": "only_here"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "only_here", only_here)
    encoder.local.name = only_here.Name("mine")
    with pytest.raises(ClusterError, match=r"the node .* can't load the model \(.*only_here.*on all nodes"):
        encode(encoder, videos)


def test_a_cluster_without_processors_is_refused(
    encoder: RayEncoder, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_IDLE_SECONDS", 0.5)
    monkeypatch.setattr(driver, "_COUNT_SECONDS", 0.1)
    monkeypatch.setattr(Cluster, "slots", lambda cluster, needs: 0)
    work = driver._Work(encoder._cluster, *encoder._send(), iter(()))
    with pytest.raises(ClusterError, match="no node of the Ray cluster local has 1 CPU for a task"):
        deque(iter(work.goes_on, None), 0)


def test_what_a_lost_worker_has_not_returned_is_encoded_again(
    encoder: RayEncoder, cluster: Cluster, videos: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    killed: list[int] = []

    def kill(windows: Any) -> None:
        if windows and not killed:
            killed.extend(workers_of(cluster))
            for worker in killed:
                os.kill(worker, signal.SIGKILL)

    found = encode(encoder, videos, on_step=kill)
    assert killed
    assert found == encode(encoder.local, videos)
    assert capfd.readouterr().out == ""  # where the command prints its results


@pytest.mark.skipif(not THOROUGH, reason="takes half a minute; set THOROUGH=1")
def test_a_worker_that_hangs_is_given_up(
    encoder: RayEncoder, cluster: Cluster, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_SILENT_SECONDS", 6.0)
    halted: list[int] = []

    def halt(windows: Any) -> None:
        if windows and not halted:
            halted.extend(workers_of(cluster))
            for worker in halted:
                os.kill(worker, signal.SIGSTOP)

    assert encode(encoder, videos, on_step=halt) == encode(encoder.local, videos)
    assert halted


def test_a_stop_ends_the_tasks_and_keeps_what_is_done(encoder: RayEncoder, videos: Path) -> None:
    steps: list[int] = []
    found = encode(
        encoder,
        videos,
        on_step=lambda windows: steps.append(len(windows)),
        should_stop=lambda: sum(steps) > 0,
    )
    assert len(found) <= COUNT + 1
    assert all(found[name] == numbers for name, numbers in found.items())
    assert sum(steps) > 0


def test_mistakes_are_found_at_once(
    run: Run, videos: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("index", videos, "--index", tmp_path / "index", "--model", model)
    assert_refused(run, "'5/4' is not the number of a part", *common, "--shard", "5/4", code=2)
    assert_refused(run, "'x' is not the number of a part", *common, "--shard", "x", code=2)
    assert_refused(run, "--shard and --ray exclude", *common, "--shard", "1/4", "--ray", "local", code=2)
    assert_refused(run, "--shard and --watch exclude", *common, "--shard", "1/4", "--watch", code=2)
    with pytest.raises(
        ClusterError, match="ray://host:10001: Ray Client isn't supported. Run the command on"
    ):
        Cluster("ray://host:10001")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"pip install 'centerclip\[distributed\]'"):
        Cluster("local")
