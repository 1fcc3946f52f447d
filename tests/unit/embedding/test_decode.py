"""A file's windows, in one piece and in parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from centerclip.embedding import decode as decode_module
from centerclip.embedding.decode import DecodedWindow, Decoder, Part
from centerclip.errors import VideoError
from centerclip.preprocessing import Preprocessing
from centerclip.records import Item, Window


def decode(path: Path, parts: int) -> tuple[list[DecodedWindow], int]:
    """Return all windows in time order, and the number of parts."""
    decoder = Decoder(3, Preprocessing((32, 32)), window_seconds=0.5, pictures=2, parts=parts)
    given = list(decoder(Item(path)))
    more = [thing for thing in given if isinstance(thing, Part)]
    windows = [thing for thing in given if isinstance(thing, DecodedWindow)]
    for part in reversed(more):  # in any order; the file is closed by now
        windows += [thing for thing in part.decode() if isinstance(thing, DecodedWindow)]
    return sorted(windows, key=lambda window: window.window.start_seconds), 1 + len(more)


@pytest.mark.parametrize("name", ["h264.mp4", "open-groups.ts", "uneven.mkv", "on-its-side.mp4"])
def test_parts_have_the_windows_of_the_whole_file(
    name: str, video: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_module, "_PART_WINDOWS", 2)
    whole, one = decode(video(name), 1)
    parted, count = decode(video(name), 3)
    assert (one, count) == (1, 3)
    assert [window.window for window in parted] == [window.window for window in whole]
    assert {window.info for window in parted} == {whole[0].info}
    for ours, theirs in zip(parted, whole, strict=True):
        assert torch.equal(ours.frames, theirs.frames)
        assert ours.pictures == theirs.pictures
        assert ours.bounds.tolist() == theirs.bounds.tolist()


def test_a_file_that_is_short_or_has_no_random_access_is_not_split(
    video: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_module, "_PART_WINDOWS", 5)
    assert decode(video("h264.mp4"), 8)[1] == 1  # of 8 windows
    monkeypatch.setattr(decode_module, "_PART_WINDOWS", 2)
    assert decode(video("animated.gif"), 8)[1] == 1


def test_an_item_with_a_start_or_an_end_is_one_window(video: Callable[[str], Path]) -> None:
    decoder = Decoder(3, Preprocessing((32, 32)), window_seconds=0.5)
    for item, start, end in (
        (Item(video("h264.mp4"), 0.4, 1.2), 0.4, 1.2),
        (Item(video("h264.mp4"), None, 0.7), 0.0, 0.7),
        (Item(video("h264.mp4"), 0.4, 1e9), 0.4, None),
    ):
        (window,) = decoder(item)
        assert isinstance(window, DecodedWindow)
        assert window.window == Window(start, end or window.info.duration_seconds)
        assert window.pictures == ()
    for outside in ((9.0, None), (9.0, 10.0), (2.0, 1.0)):
        with pytest.raises(VideoError, match="nothing to show from .* since it lasts 4"):
            next(decoder(Item(video("h264.mp4"), *outside)))
