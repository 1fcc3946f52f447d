"""When results are written, and that only written ones are returned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from random_videos import random_video

from centerclip.errors import IndexStoreError
from centerclip.indexing import writing
from centerclip.indexing.writing import BackgroundWriter
from centerclip.records import EncodedVideo, Failed


class Writer:
    """Records its batches; waits while `go_on` is clear."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go_on = Event()
        self.go_on.set()
        self.error: Exception | None = None

    def add(self, results: Sequence[EncodedVideo | Failed]) -> list[EncodedVideo | Failed]:
        assert self.go_on.wait(10)
        if self.error is not None:
            raise self.error
        self.batches.append(names_of(results))
        return [Failed(Path("refused"), "") if isinstance(r, Failed) else r for r in results]


@pytest.fixture
def writer() -> Any:  # in place of the index's `Writer`
    return Writer()


def names_of(results: Sequence[EncodedVideo | Failed]) -> list[str]:
    return [str(result.path) for result in results]


def written_by(background: BackgroundWriter) -> list[str]:
    """Wait for the batch being written, without adding results."""
    deadline, names = time.monotonic() + 10, []
    while not names and time.monotonic() < deadline:
        background.add([])
        names = names_of(background.take())
    return names


def test_few_results_are_written_at_the_end(writer: Any) -> None:
    with closing(BackgroundWriter(writer)) as background:
        background.add([random_video("a"), Failed(Path("b"), "why")])
        background.add([])
        assert background.take() == []
    assert writer.batches == [["a", "b"]]
    _, recorded = background.take()
    assert recorded == Failed(Path("refused"), "")  # as recorded, not as given


def test_many_windows_are_written_at_once(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_WINDOWS", 4)
    with closing(BackgroundWriter(writer)) as background:
        for name in "abc":
            background.add([random_video(name)])
        assert written_by(background) == ["a", "b"]
    assert writer.batches == [["a", "b"], ["c"]]


def test_a_batch_is_due_after_some_time(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    with closing(BackgroundWriter(writer)) as background:
        background.add([random_video("a")])
        assert written_by(background) == ["a"]
        assert writer.batches == [["a"]]


def test_results_are_collected_while_a_batch_is_written(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    writer.go_on.clear()
    with closing(BackgroundWriter(writer)) as background:
        for name in "abc":
            background.add([random_video(name)])
        assert background.take() == []
        writer.go_on.set()
    assert writer.batches == [["a"], ["b", "c"]]
    assert names_of(background.take()) == ["a", "b", "c"]


def test_a_failed_write_is_raised(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    writer.error = IndexStoreError("the disk is full")
    background = BackgroundWriter(writer)
    background.add([random_video("a")])
    with pytest.raises(IndexStoreError, match="the disk is full"):
        background.close()
    assert background.take() == []
