"""When results are written, and that only what was written is told."""

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
    """Notes the batches it is given; waits until it may go on."""

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
def writer() -> Any:  # as the index's, whose other methods are not used
    return Writer()


def video(name: str) -> EncodedVideo:
    return random_video(name, windows=2)


def names_of(results: Sequence[EncodedVideo | Failed]) -> list[str]:
    return [str(r.path if isinstance(r, Failed) else r.info.path) for r in results]


def written_by(background: BackgroundWriter) -> list[str]:
    """Wait for the batch under way, without any new results."""
    deadline, names = time.monotonic() + 10, []
    while not names and time.monotonic() < deadline:
        background.add([])
        names = names_of(background.take())
    return names


def test_few_results_wait_for_the_end(writer: Any) -> None:
    with closing(BackgroundWriter(writer)) as background:
        background.add([video("a"), Failed(Path("b"), "why")])
        background.add([])
        assert background.take() == []
    assert writer.batches == [["a", "b"]]
    _, recorded = background.take()
    assert recorded == Failed(Path("refused"), "")  # as recorded, not as given


def test_many_windows_are_written_at_once(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_WINDOWS", 4)
    with closing(BackgroundWriter(writer)) as background:
        background.add([video("a")])
        background.add([video("b")])
        background.add([video("c")])
        assert written_by(background) == ["a", "b"]
    assert writer.batches == [["a", "b"], ["c"]]


def test_a_batch_becomes_due_by_time_alone(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    with closing(BackgroundWriter(writer)) as background:
        background.add([video("a")])
        assert written_by(background) == ["a"]
        assert writer.batches == [["a"]]


def test_gathering_goes_on_while_a_batch_is_written(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    writer.go_on.clear()
    with closing(BackgroundWriter(writer)) as background:
        for name in "abc":
            background.add([video(name)])
        assert background.take() == []
        writer.go_on.set()
    assert writer.batches == [["a"], ["b", "c"]]
    assert names_of(background.take()) == ["a", "b", "c"]


def test_a_failed_write_is_raised(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    writer.error = IndexStoreError("the disk is full")
    background = BackgroundWriter(writer)
    background.add([video("a")])
    with pytest.raises(IndexStoreError, match="the disk is full"):
        background.close()
    assert background.take() == []
