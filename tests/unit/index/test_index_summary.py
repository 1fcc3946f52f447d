"""The summary beside the tables."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from random_videos import new_index, random_video

from centerclip.errors import IndexStoreError
from centerclip.index import Stats, VideoIndex, summarize
from centerclip.index.summary import load_summary, local_bytes
from centerclip.records import Failed


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    index = new_index(str(tmp_path / "index"), random_video("/v/a.mp4"), Failed(Path("/v/b.mp4"), "damaged"))
    with index.writer() as writer:
        writer.finish()
    return index


def without_size(stats: Stats) -> Stats:
    return replace(stats, size_bytes=0)


def test_a_finished_run_leaves_a_summary(index: VideoIndex) -> None:
    summary = load_summary(index.location)
    assert summary is not None
    assert summary.stats == index.stats()
    assert summary.failures == (("/v/b.mp4", "damaged"),)


def test_a_change_without_a_finish_makes_it_invalid(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.add([random_video("/v/c.mp4")])
    assert load_summary(index.location) is None
    summary = summarize(index.location, create=False)
    assert summary is not None
    assert summary.stats == index.stats()
    assert summary.stats.videos == 2


def test_new_roots_make_it_invalid(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.add_roots(["/v"])
    assert load_summary(index.location) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"stamp": 3}'])
def test_a_damaged_summary_is_ignored(index: VideoIndex, text: str) -> None:
    Path(index.location, ".summary.json").write_text(text)
    summary = summarize(index.location, create=False)
    assert summary is not None
    assert without_size(summary.stats) == without_size(index.stats())


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError, NotADirectoryError])
def test_files_that_vanish_are_not_counted(
    index: VideoIndex, error: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer's temporary files, and folders that were just deleted."""
    whole = local_bytes(index.location)
    stat, scandir = os.stat, os.scandir

    def fail(act: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **more: Any) -> Any:
            if str(path).endswith(name):
                raise error(2, "gone", str(path))
            return act(path, *args, **more)

        return call

    monkeypatch.setattr(os, "stat", fail(stat, ".manifest"))
    assert 0 < local_bytes(index.location) < whole
    assert index.stats().size_bytes < whole
    assert load_summary(index.location) is None
    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "scandir", fail(scandir, "data"))
    assert 0 < local_bytes(index.location) < whole
    assert load_summary(index.location) is None


def test_sizes_are_measured_while_files_come_and_go(index: VideoIndex) -> None:
    stop = Event()

    def disturb() -> None:
        folder = Path(index.location, "windows.lance", "tmp")
        while not stop.is_set():
            folder.mkdir()
            for at in range(20):
                (folder / f"{at}.part").write_bytes(b"x")
            shutil.rmtree(folder)

    thread = Thread(target=disturb)
    thread.start()
    try:
        sizes = [index.stats().size_bytes for _ in range(20)]
        sizes += [local_bytes(index.location) for _ in range(300)]
    finally:
        stop.set()
        thread.join()
    assert max(sizes) - min(sizes) <= 20


def test_without_an_index_there_is_none(tmp_path: Path) -> None:
    assert summarize(str(tmp_path / "new"), create=True) is None
    assert not (tmp_path / "new").exists()
    with pytest.raises(IndexStoreError, match="there is no index"):
        summarize(str(tmp_path / "new"), create=False)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(IndexStoreError, match="other files"):
        summarize(str(tmp_path), create=True)
