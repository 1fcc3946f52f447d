"""A file's windows, whole and in parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from centerclip.encoder import decoding
from centerclip.encoder.decoding import DecodedWindow, Part, decode_windows
from centerclip.preprocessing import Preprocessing


def decode(path: Path, parts: int) -> tuple[list[DecodedWindow], int]:
    """All windows in time order, and into how many parts they came."""
    small = Preprocessing((32, 32))
    given = list(decode_windows(path, window_seconds=0.5, frames=3, preprocessing=small, parts=parts))
    more = [thing for thing in given if isinstance(thing, Part)]
    windows = [thing for thing in given if isinstance(thing, DecodedWindow)]
    for part in reversed(more):  # whichever worker has time; the file was closed meanwhile
        windows += [thing for thing in part.decode() if isinstance(thing, DecodedWindow)]
    return sorted(windows, key=lambda window: window.window.start_seconds), 1 + len(more)


@pytest.mark.parametrize("name", ["h264.mp4", "open-groups.ts", "uneven.mkv", "on-its-side.mp4"])
def test_parts_give_the_windows_of_the_whole(
    name: str, video: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_PART_WINDOWS", 2)
    whole, one = decode(video(name), 1)
    parted, count = decode(video(name), 3)
    assert (one, count) == (1, 3)
    assert [window.window for window in parted] == [window.window for window in whole]
    assert {window.info for window in parted} == {whole[0].info}
    for ours, theirs in zip(parted, whole, strict=True):
        assert torch.equal(ours.frames, theirs.frames)
        assert ours.thumbnail == theirs.thumbnail


def test_what_is_short_or_has_to_be_decoded_from_its_start_stays_whole(
    video: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decode(video("h264.mp4"), 8)[1] == 1
    monkeypatch.setattr(decoding, "_PART_WINDOWS", 2)
    assert decode(video("animated.gif"), 8)[1] == 1
