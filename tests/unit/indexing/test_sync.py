"""Indexing folders: only what is needed is encoded, and what a run has written is kept however it ends."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_names import forbid
from random_videos import rows_of
from tiny_models import clip_model
from videos import make_video

from centerclip.embedding import VideoEncoder, decode
from centerclip.errors import FingerprintError, IndexLockedError, VideoError
from centerclip.index import Finished, VideoIndex
from centerclip.indexing import FileResult, SyncOptions, SyncProgress, sync, writing
from centerclip.model import CenterCLIP
from centerclip.records import Recorded
from centerclip.video import VideoReader

COUNT = 6


def make_encoder() -> VideoEncoder:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()
    return VideoEncoder(model, device="cpu", precision="float32", window_seconds=2, workers=2, batch_size=3)


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    return make_encoder()


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos `0.mp4`... of different lengths, and `bad.mp4`, which can't be decoded."""
    folder = tmp_path_factory.mktemp("originals")
    for number in range(COUNT):
        make_video(folder / f"{number}.mp4", frames=8 + 5 * number)
    (folder / "bad.mp4").write_bytes(b"no video at all")
    return folder


@pytest.fixture
def folder(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals, tmp_path / "videos"))


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    return VideoIndex(tmp_path / "index")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded."""
    names: list[str] = []

    def read(path: Path, *more: Any) -> VideoReader:
        names.append(path.name)
        return VideoReader(path, *more)

    monkeypatch.setattr(decode, "VideoReader", read)
    return names


def states(results: Any) -> dict[str, str]:
    return {result.path.name: result.state for result in results}


def test_a_folder_is_indexed_in_the_order_of_the_walk(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    progress: list[SyncProgress] = []
    finishes: list[Finished] = []
    options = SyncOptions(on_progress=progress.append, on_finish=finishes.append)
    results = list(sync(index, [str(folder)], encoder, options))
    names = [*(f"{number}.mp4" for number in range(COUNT)), "bad.mp4"]
    assert [result.path.name for result in results] == names
    assert states(results) == dict.fromkeys(names, "indexed") | {"bad.mp4": "failed"}
    assert results[-1].reason == index.failed()[0].reason != ""
    windows = sum(result.windows for result in results)
    assert windows == len(index) > COUNT
    (finished,) = finishes
    assert finished.stats == replace(index.stats(), size_bytes=finished.stats.size_bytes)
    assert (finished.stats.videos, finished.stats.windows, finished.stats.failed) == (COUNT, windows, 1)
    assert progress[0] == SyncProgress(0, COUNT + 1)
    last = progress[-1]
    assert (last.files, last.total, last.windows, last.is_estimate) == (COUNT + 1, COUNT + 1, windows, False)
    assert last.footage_seconds == pytest.approx(index.stats().footage_seconds)
    assert last.total_seconds == pytest.approx(last.footage_seconds)
    assert all(each.footage_seconds <= (each.total_seconds or 1e9) + 1e-6 for each in progress)
    assert index.model == encoder.card()
    hit = index.search(rows_of(index)["3.mp4", 0.0][0], top=1)[0].windows[0]
    assert hit.path == folder / "3.mp4"


def test_a_second_run_decodes_nothing(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, opened: list[str]
) -> None:
    list(sync(index, [folder], encoder))
    assert len(opened) == COUNT + 1
    opened.clear()
    results = list(sync(index, [folder, folder / "1.mp4"], encoder))
    assert opened == []
    assert states(results) == {f"{n}.mp4": "unchanged" for n in range(COUNT)} | {"bad.mp4": "skipped"}
    assert results[-1].reason == index.failed()[0].reason != ""


def test_a_changed_file_is_encoded_again_and_replaces_its_rows(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, opened: list[str]
) -> None:
    list(sync(index, [folder], encoder))
    before = rows_of(index)
    opened.clear()
    shutil.copy(folder / "0.mp4", folder / "5.mp4")
    os.utime(folder / "5.mp4", (1, 1))
    results = list(sync(index, [folder], encoder))
    assert opened == ["5.mp4"]
    assert FileResult(folder / "5.mp4", "indexed", windows=1) in results
    assert len(index) == len(before) - sum(name == "5.mp4" for name, _ in before) + 1


def test_only_failed_files_are_retried(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, opened: list[str]
) -> None:
    list(sync(index, [folder], encoder))
    opened.clear()
    make_video(folder / "new.mp4", frames=4)
    (folder / "2.mp4").rename(folder / "moved.mp4")
    results = list(sync(index, [folder], encoder, SyncOptions(retry_failed=True, prune=True)))
    assert opened == ["bad.mp4"]
    assert states(results) == {"bad.mp4": "failed"}
    shutil.copy(folder / "1.mp4", folder / "bad.mp4")
    assert states(sync(index, [folder], encoder, SyncOptions(retry_failed=True))) == {"bad.mp4": "indexed"}
    assert index.failed() == []


def test_prune_forgets_files_that_are_gone(encoder: VideoEncoder, folder: Path, index: VideoIndex) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    make_video(elsewhere / "other.mp4", frames=4)
    list(sync(index, [folder, elsewhere], encoder))
    (folder / "2.mp4").unlink()
    (elsewhere / "other.mp4").unlink()
    assert states(sync(index, [folder], encoder))["2.mp4"] == "missing"
    assert len(index.videos()) == COUNT + 2
    results = list(sync(index, [folder], encoder, SyncOptions(prune=True)))
    assert FileResult(folder / "2.mp4", "removed") in results
    names = {video.info.path.name for video in index.videos()}
    assert "2.mp4" not in names
    assert "other.mp4" in names  # not under the given roots


def test_a_moved_file_keeps_its_rows(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, opened: list[str]
) -> None:
    list(sync(index, [folder], encoder))
    before = len(index)
    opened.clear()
    (folder / "deep").mkdir()
    (folder / "3.mp4").rename(folder / "deep" / "moved.mp4")
    results = list(sync(index, [folder], encoder, SyncOptions(prune=True)))
    assert opened == []
    assert FileResult(folder / "deep" / "moved.mp4", "moved") in results
    assert "removed" not in states(results).values()
    assert len(index) == before
    assert folder / "deep" / "moved.mp4" in {video.info.path for video in index.videos()}


def test_a_file_that_only_looks_moved_is_encoded(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, opened: list[str]
) -> None:
    list(sync(index, [folder], encoder))
    opened.clear()
    stat = (folder / "3.mp4").stat()
    content = (folder / "3.mp4").read_bytes()
    (folder / "3.mp4").unlink()
    other = folder / "other.mp4"
    other.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # as long and as old, but different
    os.utime(other, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    results = list(sync(index, [folder], encoder, SyncOptions(prune=True)))
    assert opened == ["other.mp4"]
    assert {("3.mp4", "removed"), ("other.mp4", "indexed")} <= set(states(results).items())


def test_without_videos_no_index_is_created(encoder: VideoEncoder, index: VideoIndex, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert list(sync(index, [tmp_path / "empty"], encoder)) == []
    with pytest.raises(VideoError, match="no such file or folder"):
        list(sync(index, [tmp_path / "typo"], encoder))
    assert index.model is None


def test_an_unreadable_file_is_reported_but_not_recorded(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    (folder / "0.mp4").unlink()
    (folder / "0.mp4").symlink_to(folder / "nowhere.mp4")
    results = list(sync(index, [folder], encoder))
    reason = "can't be read (No such file or directory)"
    assert results[0] == FileResult(folder / "0.mp4", "failed", reason=reason)
    assert "0.mp4" not in {video.info.path.name for video in index.videos()}


def test_names_that_are_no_files_fail_each_once_and_the_run_goes_on(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(sync(index, [folder / "0.mp4"], encoder))
    for number in range(1, COUNT):
        (folder / f"{number}.mp4").unlink()
    (folder / "1.mp4").symlink_to("2.mp4")
    (folder / "2.mp4").symlink_to("1.mp4")
    os.mkfifo(folder / "3.mp4")
    monkeypatch.chdir(folder)  # the name of a socket has at most 108 bytes
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("4.mp4")
    (folder / "5.mp4").symlink_to("/dev/null")
    shutil.copytree(folder, folder / "below", symlinks=True, ignore=lambda *_: ["3.mp4", "4.mp4"])
    forbid(monkeypatch, folder / "below")
    found = list(sync(index, [folder, folder / ("x" * 300)], encoder))
    reasons = {str(result.path.relative_to(folder)): result.reason for result in found}
    assert len(reasons) == len(found)
    assert reasons == {
        "0.mp4": "",
        "1.mp4": "can't be read (Too many levels of symbolic links)",
        "2.mp4": "can't be read (Too many levels of symbolic links)",
        "3.mp4": "is a pipe, not a video file",
        "4.mp4": "is a socket, not a video file",
        "5.mp4": "is a device, not a video file",
        "below": "can't be listed (Permission denied)",
        "bad.mp4": reasons["bad.mp4"],
        "x" * 300: "can't be read (File name too long)",
    }


def test_files_that_cannot_be_looked_at_now_are_not_forgotten(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "below").mkdir()
    (folder / "0.mp4").rename(folder / "below" / "0.mp4")
    (folder / "1.mp4").rename(folder / "below" / "1.mp4")
    list(sync(index, [folder / "below"], encoder))
    with monkeypatch.context() as patch:
        forbid(patch, folder / "below")
        results = states(sync(index, [folder / "below"], encoder, SyncOptions(prune=True)))
    assert results == {"below": "failed"}
    assert len(index.videos()) == 2


def test_each_of_several_names_that_are_not_utf_8_fails(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    list(sync(index, [folder / "0.mp4"], encoder))
    names = [b"/caf\xe9.mp4", b"/caf\xe8.mp4", b"/caf\\xe9.mp4"]  # the last one's bytes are ASCII
    odd = [Path(os.fsdecode(bytes(folder) + name)) for name in names]
    for path in odd:
        shutil.copy(folder / "1.mp4", path)
    for _ in range(2):
        results = list(sync(index, [folder], encoder))
        assert len({result.path for result in results}) == len(results) == COUNT + 4
        found = {result.path: result.reason for result in results}
        assert [found[path] for path in odd] == [*2 * ["its name is not valid UTF-8; rename the file"], ""]
    (folder / "0.mp4").rename(odd[0])  # looks like a moved file
    found = {result.path: result.state for result in sync(index, [folder], encoder)}
    assert found[odd[0]] == "failed"


def test_a_file_whose_name_is_not_utf_8_fails_and_is_skipped_from_then_on(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    odd = Path(os.fsdecode(bytes(folder) + b"/caf\xe9.mp4"))
    shutil.copy(folder / "0.mp4", odd)
    for state in ("failed", "skipped"):
        results = {result.path: result for result in sync(index, [folder], encoder)}
        assert (results[odd].state, "not valid UTF-8" in results[odd].reason) == (state, True)
    results = {result.path: result for result in sync(index, [odd], encoder, SyncOptions(retry_failed=True))}
    assert results[odd].state == "failed"


def test_another_model_is_refused(encoder: VideoEncoder, folder: Path, index: VideoIndex) -> None:
    list(sync(index, [folder / "0.mp4"], encoder))
    other = VideoEncoder(CenterCLIP(clip_model(seed=1), frames=4).eval(), window_seconds=2)
    with pytest.raises(FingerprintError):
        list(sync(index, [folder], other))
    assert len(index.videos()) == 1


def test_closing_early_writes_what_is_encoded_and_releases_the_index(
    encoder: VideoEncoder,
    folder: Path,
    index: VideoIndex,
    opened: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "_BATCH_WINDOWS", 1)
    with closing(sync(index, [folder], encoder)) as results:
        first = next(results)
        with pytest.raises(IndexLockedError):
            list(sync(index, [folder], encoder))
    assert first.path in {video.info.path for video in index.videos()}
    done = len(index.videos())
    opened.clear()
    results_after = states(sync(index, [folder], encoder))
    assert len(opened) == COUNT + 1 - done
    assert first.path.name not in opened
    assert set(results_after) == {*(f"{n}.mp4" for n in range(COUNT)), "bad.mp4"}


def test_a_stopped_run_reports_everything_it_wrote(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    finished: list[int] = []
    options = SyncOptions(
        on_progress=lambda progress: finished.append(progress.files),
        on_finish=lambda finished: pytest.fail("a stopped run has not finished"),
        should_stop=lambda: finished[-1:] >= [2],
    )
    reported = [result.path for result in sync(index, [folder], encoder, options)]
    assert 2 <= len(reported) < COUNT + 1
    assert set(reported) == {video.info.path for video in index.videos()}


def test_a_run_can_be_stopped_while_it_walks_the_folders(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    list(sync(index, [folder], encoder))
    before = sorted(index.videos(), key=lambda video: video.info.path)
    (folder / "later.mp4").write_bytes(b"not looked at")
    looks = itertools.count()
    options = SyncOptions(prune=True, should_stop=lambda: next(looks) >= 2)
    assert list(sync(index, [folder], encoder, options)) == []
    assert sorted(index.videos(), key=lambda video: video.info.path) == before  # nothing counts as deleted


def test_an_interrupted_run_writes_what_is_encoded(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, opened: list[str]
) -> None:
    finished = 0

    def interrupt(progress: SyncProgress) -> None:
        nonlocal finished
        finished = progress.files
        if finished >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(sync(index, [folder], encoder, SyncOptions(on_progress=interrupt)))
    assert len(index.videos()) == finished  # written although no batch was due
    opened.clear()
    list(sync(index, [folder], encoder))
    assert len(opened) == COUNT + 1 - finished


def index_until_killed(folder: Path, location: Path) -> None:
    """Index in small batches, print what is reported, and stop near the end."""
    writing._BATCH_WINDOWS = 1

    def stop(progress: SyncProgress) -> None:
        if progress.files >= COUNT:
            print("stopped", flush=True)
            signal.pause()

    for result in sync(VideoIndex(location), [folder], make_encoder(), SyncOptions(on_progress=stop)):
        print(result.path.name, flush=True)


def test_a_killed_run_loses_nothing_it_reported_and_the_next_one_completes_it(
    tmp_path: Path, folder: Path, encoder: VideoEncoder, opened: list[str]
) -> None:
    program = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n"
        "from pathlib import Path; from test_sync import index_until_killed\n"
        f"index_until_killed(Path({str(folder)!r}), Path({str(tmp_path / 'index')!r}))"
    )
    reported = []
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "stopped\n":
                process.kill()
                break
            reported.append(line.strip())
    assert process.returncode == -signal.SIGKILL
    assert reported

    index, untouched = VideoIndex(tmp_path / "index"), VideoIndex(tmp_path / "untouched")
    list(sync(index, [folder], encoder))
    assert not set(reported) & set(opened)
    assert len(opened) < COUNT + 1

    list(sync(untouched, [folder], encoder))
    found, expected = rows_of(index), rows_of(untouched)
    assert found.keys() == expected.keys()
    assert len(index) == len(untouched) == len(expected)
    for key, vectors in expected.items():
        np.testing.assert_allclose(found[key], vectors, atol=6e-3)  # segments are stored as int8


@pytest.mark.parametrize(("name", "first"), [("film.ts", "indexed"), ("film.mp4", "failed")])
def test_a_file_that_grows_while_it_is_read_is_read_again(
    name: str,
    first: str,
    encoder: VideoEncoder,
    index: VideoIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = make_video(tmp_path / name, frames=60)
    folder = tmp_path / "videos"
    folder.mkdir()
    growing, content = folder / name, whole.read_bytes()
    growing.write_bytes(content[: len(content) // 2])

    def read(path: Path, *more: Any) -> VideoReader:
        try:
            return VideoReader(path, *more)
        finally:
            growing.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr(decode, "VideoReader", read)
        assert states(sync(index, [folder], encoder)) == {name: first}
    assert states(sync(index, [folder], encoder)) == {name: "indexed"}
    (video,) = index.videos()
    with VideoReader(whole) as reader:
        assert video.info.duration_seconds == pytest.approx(reader.duration_seconds)
    assert states(sync(index, [folder], encoder)) == {name: "unchanged"}


def test_a_file_that_is_being_written_is_left_for_another_run(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, opened: list[str]
) -> None:
    growing = {"2.mp4"}
    options = SyncOptions(is_growing=lambda file: file.path.name in growing)
    assert "2.mp4" not in states(sync(index, [folder], encoder, options))
    assert "2.mp4" not in opened
    growing.clear()
    opened.clear()
    assert states(sync(index, [folder], encoder, options))["2.mp4"] == "indexed"
    assert opened == ["2.mp4"]


def test_missing_files_are_reported_and_a_careful_run_spares_empty_folders(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    (folder / "disk").mkdir()
    (folder / "1.mp4").rename(folder / "disk" / "1.mp4")
    list(sync(index, [folder], encoder))
    (folder / "0.mp4").unlink()
    (folder / "disk" / "1.mp4").unlink()
    gone = {"0.mp4", "1.mp4"}
    kept = states(sync(index, [folder], encoder))
    assert {name for name, state in kept.items() if state == "missing"} == gone
    assert len(index.videos()) == COUNT + 1
    careful = states(sync(index, [folder], encoder, SyncOptions(prune=True, careful=True)))
    assert (careful["0.mp4"], careful["1.mp4"]) == ("removed", "missing")
    assert states(sync(index, [folder], encoder, SyncOptions(prune=True)))["1.mp4"] == "removed"
    assert len(index.videos()) == COUNT - 1


def test_an_index_of_an_earlier_version_gets_dates_without_encoding(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, opened: list[str]
) -> None:
    make_video(folder / "dated.mp4", frames=8, metadata={"creation_time": "2024-05-01T09:00:00Z"})
    list(sync(index, [folder], encoder))
    before = {video.info.path.name: video.info for video in index.videos()}
    assert before["dated.mp4"].recorded == Recorded(1714554000.0)
    with index.writer() as writer, writer._changing():  # as an earlier version wrote it
        writer._windows.drop_columns(["recorded_seconds"])
        writer._videos.drop_columns(["recorded_seconds", "recorded_source", "recorded_zone"])
    assert index.videos("recorded_source = 'container'") == []
    (folder / "0.mp4").unlink()
    opened.clear()
    results = list(sync(index, [folder], encoder))
    assert opened == []
    assert set(states(results).values()) == {"unchanged", "skipped", "missing"}
    assert {video.info.path.name: video.info for video in index.videos()} == before
    assert [v.info.path.name for v in index.videos("recorded_source is null")] == ["0.mp4", "bad.mp4"]
    assert [v.info.path.name for v in index.videos("recorded < '2024-05-02'")] == ["dated.mp4"]
    (found,) = index.search(rows_of(index)["3.mp4", 0.0][0], top=50, where="recorded < '2024-05-02'")
    assert {window.path.name for window in found.windows} == {"dated.mp4"}


def test_a_run_that_only_reads_dates_can_be_stopped(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    list(sync(index, [folder], encoder))
    with index.writer() as writer, writer._changing():
        writer._videos.drop_columns(["recorded_source"])
    list(sync(index, [folder], encoder, SyncOptions(should_stop=lambda: True)))
    assert len(index.videos("recorded_source is null")) == COUNT + 1
