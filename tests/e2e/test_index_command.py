"""`centerclip index`: results, updates, stops and errors."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from command_line import Run, assert_refused
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
    assert first.code == 0
    assert sorted((Path(path).name, *rest) for state, path, *rest in first.rows if state == "indexed") == [
        ("blue.mp4", "1", ""),
        ("long one.mp4", "3", ""),
        ("金閣寺 – „gold“.mp4", "1", ""),
    ]
    assert {row[1] for row in first.rows} == {str(path) for path in videos.rglob("*.mp4")}
    assert "schedule B2-4,16" in first.err
    assert "Indexed 3 videos: 34.0 s of footage" in first.err
    assert "The index contains 3 videos in 5 windows" in first.err

    again = run("index", videos, "--index", place)  # the model is the index's
    assert (again.code, again.out) == (0, "")
    assert "Up to date: 3 videos unchanged." in again.err

    (videos / "blue.mp4").rename(videos / "moved.mp4")
    (videos / "Ferien 2024" / "long one.mp4").unlink()
    shutil.copy(footage / "blue.mp4", videos / "new.mp4")
    noticed = run("index", videos / "Ferien 2024", "--index", place)
    assert [(state, Path(path).name) for state, path, *_ in noticed.rows] == [("missing", "long one.mp4")]
    assert "1 indexed file isn't there any more" in noticed.err
    assert "to remove what was deleted from the index, add --prune." in noticed.err
    later = run("index", videos, "--index", place, "--prune", "--json")
    results = later.records
    assert later.code == 0
    assert sorted((each["state"], Path(each["path"]).name) for each in results) == [
        ("indexed", "new.mp4"),
        ("moved", "moved.mp4"),
        ("removed", "long one.mp4"),
    ]


def test_unreadable_files_do_not_stop_the_run(
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
    listed = first.err[first.err.index("4 files failed:") :]
    for state, path, _, reason in first.rows:
        assert (f"{Path(path).name}: {reason}" in listed) == bool(reason) == (state == "failed")

    second = run("index", videos, "--index", place)
    assert (second.code, {row[0] for row in second.rows}) == (0, {"skipped"})
    assert "Skipped 4 unchanged files that failed before" in second.err

    shutil.copy(footage / "blue.mp4", videos / "cut.mp4")
    retried = run("index", "--retry-failed", "--index", place)
    assert retried.code == 3
    assert sorted((row[0], Path(row[1]).name) for row in retried.rows)[-1] == ("indexed", "cut.mp4")
    for name in ("empty.mov", "song.mp4", "text.mp4"):
        shutil.copy(footage / "blue.mp4", videos / name)
    assert run("index", "--retry-failed", "--index", place).code == 0
    assert "No failed files to retry." in run("index", "--retry-failed", "--index", place).err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_loses_nothing_and_the_next_continues(
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
    held = [str(video.info.path) for video in VideoIndex(place).videos()]
    assert sorted(row[1] for row in stopped.rows) == sorted(held)
    assert 2 <= len(batches) <= 4  # each thread may have started one more
    assert 0 < len(held) <= sum(batches) < 20
    assert f"The index contains {len(held)} videos" in stopped.err

    resumed = run("index", videos, "--index", place)
    assert resumed.code == 0
    assert f"Indexed {20 - len(held)} videos" in resumed.err


def test_errors_name_the_remedy_and_leave_the_index_alone(
    run: Run, footage: Path, indexed: Path, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    before = VideoIndex(indexed).version
    for args, message in (
        (["nosuch"], "there is no such file or folder"),
        ([tmp_path / "nothing"], "name the file itself"),
        ([footage, "--schedule", "6-4,49"], "write B<block>-<segments>,<tokens>, such as B6-4,49"),
        ([footage, "--schedule", "B9-4,49"], "the model has 4 blocks"),
        ([footage, "--schedule", "B2-2,16"], "or another --index"),
        ([footage, "--window", "3"], "use --window 12"),
        ([footage, "--sampling", "center"], "use --sampling cheapest"),
        ([footage, "--model", "no/such-model"], "--model nano"),
        ([footage, "--model", tmp_path / "nothing"], "no config.json"),
        ([footage, "--device", "toaster"], "give cpu or auto"),
        ([footage, "--precision", "float8"], "float32, tf32, bfloat16, float16, int8"),
        ([footage, "--index", tmp_path / "notes"], "Nothing was touched"),
    ):
        place = [] if "--index" in args else ["--index", indexed]
        assert_refused(run, message, "index", *args, *place)
    unknown = "'any' is not one of cheapest, budget, keys, center"
    assert_refused(run, unknown, "index", footage, "--sampling", "any", code=2)
    assert_refused(run, "'tpu' is not one of cpu, gpu", "index", footage, "--decode-on", "tpu", code=2)
    with VideoIndex(indexed).writer():
        assert_refused(run, f"process {os.getpid()}", "index", footage, "--index", indexed)
    assert VideoIndex(indexed).version == before
    assert sorted(path.name for path in (tmp_path / "notes").iterdir()) == ["a.txt"]


def test_an_index_keeps_its_sampling(run: Run, footage: Path, model: Path, tmp_path: Path) -> None:
    place = ["--index", tmp_path / "center"]
    first = footage / "blue.mp4"
    assert run("index", first, *place, "--model", model, "--sampling", "center").code == 0
    assert run("index", footage, *place).code == 0
    index = VideoIndex(tmp_path / "center", create=False)
    assert index.model is not None
    assert (index.model.sampling, index.stats().videos) == ("center", 3)
    assert "model.sampling\tcenter" in run("info", *place).out


def test_the_working_folder_stays_empty(run: Run, footage: Path, model: Path, tmp_path: Path) -> None:
    assert run("index", footage, "--model", model).code == 0
    assert list((tmp_path / "here").iterdir()) == []
    assert VideoIndex(tmp_path / "data" / "centerclip" / "index", create=False).stats().videos == 3


def test_an_index_remembers_the_users_own_model_adapter_and_reducer(
    run: Run, model: Path, footage: Path, tmp_path: Path
) -> None:
    (tmp_path / "here" / "remembered_parts.py").write_text(
        "import torch\n"
        "from centerclip.clustering import Reducer\n"
        "from centerclip.model import CLIPBackbone\n\n\n"
        "class Ours(CLIPBackbone):\n"
        "    def block(self, index, tokens):\n"
        "        return super().block(index, tokens.with_(patches=tokens.patches * 2))\n\n\n"
        "class First(Reducer):\n"
        "    def choose(self, tokens, k):\n"
        "        return torch.arange(k).expand(len(tokens.x), -1)\n"
    )
    own = ("--backbone", "remembered_parts:Ours", "--reducer", "remembered_parts:First")
    made = run("index", footage, "--model", model, *own, "--index", "own")
    assert made.code == 0, made.err
    updated = run("index", footage, "--index", "own")
    assert updated.code == 0, updated.err
    found = run("search", "red", "--index", "own", "--json")
    assert found.code == 0, found.err
    refused = run("index", footage, "--model", model, "--backbone", "clip", "--index", "own")
    assert refused.code == 1
    assert " ".join(own[2:] + own[:2]) in " ".join(refused.err.split())
