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

from centerclip.embedding import writing
from centerclip.embedding.writing import BackgroundWriter
from centerclip.errors import IndexStoreError
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
        self.batches.append([str(r.path if isinstance(r, Failed) else r.info.path) for r in results])
        return [Failed(Path("refused"), "") if isinstance(r, Failed) else r for r in results]


@pytest.fixture
def writer() -> Any:  # as the index's, whose other methods are not used
    return Writer()


def video(name: str) -> EncodedVideo:
    return random_video(name, windows=2)


def written_by(background: BackgroundWriter) -> list[int]:
    """Wait for the batch under way, without any new results."""
    deadline, numbers = time.monotonic() + 10, []
    while not numbers and time.monotonic() < deadline:
        background.add([])
        numbers = [number for number, _ in background.take()]
    return numbers


def test_few_results_wait_for_the_end(writer: Any) -> None:
    with closing(BackgroundWriter(writer)) as background:
        background.add([(0, video("a")), (1, Failed(Path("b"), "why"))])
        background.add([])
        assert background.take() == []
    assert writer.batches == [["a", "b"]]
    (zero, _), (one, recorded) = background.take()
    assert (zero, one, recorded) == (0, 1, Failed(Path("refused"), ""))  # as recorded, not as given


def test_many_windows_are_written_at_once(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_WINDOWS", 4)
    with closing(BackgroundWriter(writer)) as background:
        background.add([(0, video("a"))])
        background.add([(1, video("b"))])
        background.add([(2, video("c"))])
        assert written_by(background) == [0, 1]
    assert writer.batches == [["a", "b"], ["c"]]


def test_a_batch_becomes_due_by_time_alone(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    with closing(BackgroundWriter(writer)) as background:
        background.add([(0, video("a"))])
        assert written_by(background) == [0]
        assert writer.batches == [["a"]]


def test_gathering_goes_on_while_a_batch_is_written(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    writer.go_on.clear()
    with closing(BackgroundWriter(writer)) as background:
        for number, name in enumerate("abc"):
            background.add([(number, video(name))])
        assert background.take() == []
        writer.go_on.set()
    assert writer.batches == [["a"], ["b", "c"]]
    assert [number for number, _ in background.take()] == [0, 1, 2]


def test_a_failed_write_is_raised(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    writer.error = IndexStoreError("the disk is full")
    background = BackgroundWriter(writer)
    background.add([(0, video("a"))])
    with pytest.raises(IndexStoreError, match="the disk is full"):
        background.close()
    assert background.take() == []
