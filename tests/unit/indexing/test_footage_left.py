"""How much footage is left, while files are opened, encoded and fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from centerclip.indexing.footage import Footage
from centerclip.records import VideoInfo, Window


def _file(name: str, seconds: float) -> VideoInfo:
    return VideoInfo(Path(name), name, seconds, 8, 8, 25.0, "h264", 1, 0.0)


def test_lengths_are_estimated_by_size_until_files_are_opened() -> None:
    footage = Footage({Path("a"): 100, Path("b"): 300, Path("c"): 600})
    assert (footage.seconds, footage.total_seconds, footage.is_estimate) == (0, None, True)
    footage.add(_file("a", 50), Window(0, 12))
    assert (footage.seconds, footage.total_seconds) == (12, 500)  # half a second per byte
    footage.add(_file("b", 350), Window(24, 36))  # b has twice as many bytes per second as thought
    assert footage.total_seconds == 50 + 350 + 600
    assert footage.is_estimate
    footage.add(_file("c", 40), Window(0, 12))
    assert (footage.seconds, footage.total_seconds, footage.is_estimate) == (36, 440, False)


def test_finished_and_failed_files_count_as_far_as_they_were_encoded() -> None:
    footage = Footage(dict.fromkeys(map(Path, "abcd"), 100))
    footage.add(_file("a", 24), Window(0, 12))
    footage.add(_file("b", 120), Window(0, 12))
    footage.finish(Path("b"))  # failed
    assert footage.total_seconds == pytest.approx(24 + 12 + 2 * 72)
    footage.add(_file("b", 120), Window(12, 24))  # was being encoded when it failed
    footage.finish(Path("c"))  # failed before its first window
    footage.finish(Path("d"))
    assert (footage.seconds, footage.total_seconds, footage.is_estimate) == (36, 48, False)
    footage.add(_file("a", 24), Window(12, 24))
    footage.finish(Path("a"))
    assert (footage.seconds, footage.total_seconds) == (48, 48)


def test_without_a_window_that_could_be_encoded_nothing_is_left_at_the_end() -> None:
    footage = Footage({Path("a"): 0})
    footage.finish(Path("a"))
    assert footage.total_seconds == 0
