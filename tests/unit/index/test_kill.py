"""After kill -9 at any time, the next run leaves exactly what an uninterrupted run does."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import index_run
import numpy as np
import pytest
from thorough import THOROUGH, sample

from centerclip.index import VideoIndex, Writer, summarize
from centerclip.index.head import HEAD


class Folders:
    """The index before the run, and what it holds after a run without interruption."""

    def __init__(self, root: Path) -> None:
        self.before = root / "before"
        index_run.first_run(str(self.before))
        shutil.copytree(self.before, root / "whole")
        self.finished = index_run.second_run(str(root / "whole"))
        self.whole = index_run.content(root / "whole")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return Folders(tmp_path_factory.mktemp("kill"))


def run_and_kill(location: Path, *more: str, call: int = 0, after_seconds: float | None = None) -> int:
    args = [sys.executable, index_run.__file__, str(location), str(call), *more]
    child = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "begins\n"
    if after_seconds is not None:
        time.sleep(after_seconds)
        child.kill()
    child.communicate(timeout=120)
    return child.returncode


def check_rerun(location: Path, folders: Folders) -> None:
    check_summary(location)
    finished = index_run.second_run(str(location))
    assert index_run.content(location) == folders.whole
    for name in ("videos", "windows", "failed"):
        assert getattr(finished.stats, name) == getattr(folders.finished.stats, name)

    check_summary(location)


def check_summary(location: Path) -> None:
    """However the last run ended, the summary is that of the tables."""
    index = VideoIndex(location)
    if index.model is None:
        return
    summary = summarize(str(location), create=False)
    assert summary is not None
    ignored = {"size_bytes": 0, "search": ""}  # the run writes with another limit of exact search
    assert replace(summary.stats, **ignored) == replace(index.stats(), **ignored)
    assert summary.failures == tuple((str(video.info.path), video.reason) for video in index.failed())


def test_an_uninterrupted_run(folders: Folders) -> None:
    windows, videos = folders.whole["windows"], folders.whole["videos"]
    done = {row["path"]: row["windows"] for row in videos if row["state"] == "done"}
    new = {f"/v/{at}.mp4": 2 + at % 3 for at in range(8, 14)}
    kept = {"/v/0.mp4": 3, "/v/1.mp4": 2, "/v/5.mp4": 3, "/v/6.mp4": 1, "/v/7.mp4": 2}
    assert done == {**new, **kept, "/v/renamed.mp4": 2}
    assert [row["path"] for row in videos if row["state"] == "failed"] == ["/v/2.mp4"]
    assert len(windows) == sum(done.values())
    first = next(row for row in windows if row["path"] == "/v/0.mp4")
    np.testing.assert_array_equal(first["vector"], index_run.CHANGED[0].windows[0].vector)


class _KilledError(BaseException):
    """Simulates the kill after every single commit."""


def test_stopped_after_any_commit_the_next_run_completes(
    folders: Folders, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    commits: list[int] = []
    shutil.copytree(folders.before, tmp_path / "whole")
    with index_run.count_commits(commits.append):
        index_run.second_run(str(tmp_path / "whole"))
    assert len(commits) > 20
    targets = sample(commits, 12)
    for target in targets:

        def stop(count: int, target: int = target) -> None:
            if count == target:
                raise _KilledError

        location = tmp_path / str(target)
        shutil.copytree(folders.before, location)
        with index_run.count_commits(stop), pytest.raises(_KilledError):
            index_run.second_run(str(location))
        check_rerun(location, folders)
    record_property("commits after which indexing was stopped", f"{len(targets)} of {len(commits)}")


def test_killed_at_any_commit_and_the_old_file_restored(tmp_path: Path) -> None:
    """With the size and time that it had before: no row may stay that belongs to the other content."""
    old = index_run.random_video("/v/a.mp4", windows=2)
    new = index_run.random_video("/v/a.mp4", windows=2, seed=7, modified=9.0)
    index_run.new_index(tmp_path / "before", old, index_run.random_video("/v/b.mp4"))
    target, finished = 0, False

    def stop(count: int) -> None:
        if count == target:
            raise _KilledError

    while not finished:
        target += 1
        shutil.copytree(tmp_path / "before", tmp_path / str(target))
        index = VideoIndex(tmp_path / str(target))
        with index_run.count_commits(stop), suppress(_KilledError), index.writer() as writer:
            writer.add([new])
            finished = True
        whole, headless = Path(index.location), tmp_path / f"{target} without head"
        shutil.copytree(whole, headless, ignore=shutil.ignore_patterns(HEAD))
        for location in (whole, headless):  # undone by the head; or found by comparing the tables
            again = VideoIndex(location)
            with again.writer() as writer:
                if not again.changes([index_run.stamp_of(old)]).unchanged:
                    writer.add([old])
                writer.finish()
            rows = index_run.content(location)
            found = {row["path"]: row["vector"] for row in rows["windows"]}
            np.testing.assert_array_equal(found["/v/a.mp4"], old.windows[-1].vector)
            assert {row["video_id"] for row in rows["pictures"]} == {"id-/v/a.mp4", "id-/v/b.mp4"}
    assert target > 3


def test_killed_while_creating_the_index(tmp_path: Path) -> None:
    assert run_and_kill(tmp_path / "index", call=2) == -signal.SIGKILL
    for name in ("index", "uninterrupted"):
        index_run.second_run(str(tmp_path / name))
    assert index_run.content(tmp_path / "index") == index_run.content(tmp_path / "uninterrupted")


def test_killed_again_and_again_at_any_time(
    folders: Folders, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    shutil.copytree(folders.before, tmp_path / "index")
    assert run_and_kill(tmp_path / "index", call=6) == -signal.SIGKILL
    instants = np.random.default_rng().uniform(0, 0.6, 100) if THOROUGH else (0.05, 0.15)
    killed = sum(run_and_kill(tmp_path / "index", after_seconds=at) == -signal.SIGKILL for at in instants)
    record_property("random instants at which indexing was killed", killed)
    check_rerun(tmp_path / "index", folders)


def test_without_finish_nothing_is_lost(folders: Folders, tmp_path: Path) -> None:
    shutil.copytree(folders.before, tmp_path / "index")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "finish", lambda self: None)
        index_run.second_run(str(tmp_path / "index"))
    assert index_run.content(tmp_path / "index") == folders.whole
