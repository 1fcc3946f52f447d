"""`centerclip index`: what it does, what it refuses, and that nothing is lost on the way."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from command_line import Run
from torch import Tensor

from centerclip.embedding import engine
from centerclip.index import VideoIndex
from centerclip.model import CenterCLIP


def test_a_folder_is_indexed_once_and_then_only_what_changed(
    run: Run, footage: Path, model: Path, tmp_path: Path
) -> None:
    videos, place = tmp_path / "videos", tmp_path / "index"
    shutil.copytree(footage, videos)
    first = run("index", videos, "--index", place, "--model", model)
    assert (first.code, sorted(first.rows)) == (
        0,
        sorted([["indexed", str(path), windows, ""] for path, windows in windows_of(videos).items()]),
    )
    assert "with schedule B2-4,16" in first.err
    assert "Indexed 3 videos: 34.0 s of footage" in first.err
    assert "The index holds 3 videos in 5 windows" in first.err

    again = run("index", videos, "--index", place)  # the model is the index's
    assert (again.code, again.out) == (0, "")
    assert "Nothing to encode: 3 unchanged." in again.err

    (videos / "blue.mp4").rename(videos / "moved.mp4")
    (videos / "Ferien 2024" / "long one.mp4").unlink()
    shutil.copy(footage / "blue.mp4", videos / "new.mp4")
    later = run("index", videos, "--index", place, "--prune", "--json")
    results = [json.loads(line) for line in later.out.splitlines()]
    assert later.code == 0
    assert sorted((each["state"], Path(each["path"]).name) for each in results) == [
        ("indexed", "new.mp4"),
        ("moved", "moved.mp4"),
        ("removed", "long one.mp4"),
    ]


def windows_of(videos: Path) -> dict[Path, str]:
    long, gold = (
        videos / "Ferien 2024" / "long one.mp4",
        videos / "Ferien 2024" / "京都" / "金閣寺 – „gold“.mp4",
    )
    return {videos / "blue.mp4": "1", long: "3", gold: "1"}


def test_files_that_fail_end_nothing(
    run: Run, broken: Path, model: Path, footage: Path, tmp_path: Path
) -> None:
    videos, place = tmp_path / "videos", tmp_path / "index"
    shutil.copytree(broken, videos)
    first = run("index", videos, "--index", place, "--model", model)
    assert first.code == 3
    assert sorted((row[0], Path(row[1]).name) for row in first.rows) == [
        ("failed", "cut.mp4"),
        ("failed", "empty.mov"),
        ("failed", "song.mp4"),
        ("failed", "text.mp4"),
        ("indexed", "good.mp4"),
    ]
    assert all(row[3] for row in first.rows if row[0] == "failed")
    told = first.err[first.err.index("4 files failed:") :]
    for row in first.rows:
        assert (f"{Path(row[1]).name}: {row[3]}" in told) == (row[0] == "failed")

    second = run("index", videos, "--index", place)
    assert (second.code, {row[0] for row in second.rows}) == (0, {"skipped"})
    assert "4 files failed before" in second.err

    shutil.copy(footage / "blue.mp4", videos / "cut.mp4")
    retried = run("index", "--retry-failed", "--index", place)
    assert retried.code == 3
    assert sorted((row[0], Path(row[1]).name) for row in retried.rows)[-1] == ("indexed", "cut.mp4")
    for name in ("empty.mov", "song.mp4", "text.mp4"):
        shutil.copy(footage / "blue.mp4", videos / name)
    assert run("index", "--retry-failed", "--index", place).code == 0
    assert "No file failed before." in run("index", "--retry-failed", "--index", place).err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_loses_nothing_and_the_next_goes_on(
    number: signal.Signals,
    run: Run,
    footage: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    videos, place = tmp_path / "videos", tmp_path / "index"
    videos.mkdir()
    for at in range(20):
        shutil.copy(footage / "blue.mp4", videos / f"{at:02}.mp4")
    encode, batches, order = engine.encode_frames, [], itertools.count(1)

    def encode_and_stop(model: CenterCLIP, frames: Tensor) -> Any:
        batches.append(len(frames))
        if next(order) == 2:  # in an encoding thread; a second signal would end the process
            os.kill(os.getpid(), number)
        return encode(model, frames)

    monkeypatch.setattr(engine, "encode_frames", encode_and_stop)
    stopped = run("index", videos, "--index", place, "--model", model)
    assert stopped.code == 128 + number
    assert "Stopping; what is encoded is kept" in stopped.err
    held = VideoIndex(place).stats().videos
    told = [line.split("\t")[1] for line in stopped.out.splitlines()]
    assert sorted(told) == sorted(str(video.info.path) for video in VideoIndex(place).videos())
    assert 2 <= len(batches) <= 4  # one more may be begun in each thread
    assert 0 < held <= sum(batches) < 20
    assert f"The index holds {held} videos" in stopped.err

    resumed = run("index", videos, "--index", place)
    assert resumed.code == 0
    assert f"Indexed {20 - held} videos" in resumed.err


def test_a_second_writer_is_told_who_holds_the_index(run: Run, footage: Path, indexed: Path) -> None:
    with VideoIndex(indexed).writer():
        refused = run("index", footage, "--index", indexed)
    assert refused.code == 1
    assert f"process {os.getpid()}" in refused.err


def test_errors_name_the_remedy_and_leave_the_index_alone(
    run: Run, footage: Path, indexed: Path, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    before = VideoIndex(indexed).version
    for args, words in (
        (["nosuch"], "there is no such file or folder"),
        ([tmp_path / "nothing"], "no videos there"),
        ([footage, "--schedule", "6-4,49"], "write B<block>-<segments>,<tokens>, as in B6-4,49"),
        ([footage, "--schedule", "B9-4,49"], "the model has 4 blocks"),
        ([footage, "--schedule", "B2-2,16"], "or another --index"),
        ([footage, "--window", "3"], "use --window 12"),
        ([footage, "--model", "no/such-model"], "--model nano"),
        ([footage, "--model", tmp_path / "nothing"], "no config.json"),
        ([footage, "--device", "toaster"], "give cpu or auto"),
        ([footage, "--precision", "float8"], "float32, bfloat16"),
        ([footage, "--index", tmp_path / "notes"], "Nothing was touched"),
    ):
        place = [] if "--index" in args else ["--index", indexed]
        refused = run("index", *args, *place)
        assert refused.code == 1, args
        assert refused.err.startswith("error: "), args
        assert words in refused.err, args
        assert refused.err.count("\n") == 1, args
        assert refused.out == "", args
    assert VideoIndex(indexed).version == before
    assert sorted(path.name for path in (tmp_path / "notes").iterdir()) == ["a.txt"]


def test_nothing_lands_in_the_present_folder(run: Run, footage: Path, model: Path, tmp_path: Path) -> None:
    assert run("index", footage, "--model", model).code == 0
    assert list((tmp_path / "here").iterdir()) == []
    assert VideoIndex(tmp_path / "data" / "centerclip" / "index", create=False).stats().videos == 3
