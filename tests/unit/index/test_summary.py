"""The summary beside the tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from random_videos import new_index, random_video

from centerclip.errors import IndexStoreError
from centerclip.index import Stats, VideoIndex, summarize
from centerclip.index.summary import load_summary
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


def test_without_an_index_there_is_none(tmp_path: Path) -> None:
    assert summarize(str(tmp_path / "new"), create=True) is None
    assert not (tmp_path / "new").exists()
    with pytest.raises(IndexStoreError, match="there is no index"):
        summarize(str(tmp_path / "new"), create=False)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(IndexStoreError, match="other files"):
        summarize(str(tmp_path), create=True)
