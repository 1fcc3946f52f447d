"""A file as a stream of windows, each decoded when it is asked for; a long one as several such streams."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from torch import Tensor

from centerclip.preprocessing import Preprocessing
from centerclip.records import VideoInfo, Window
from centerclip.video import VideoReader, cut_windows, read_windows

__all__ = ["DecodedWindow", "Part", "Windows", "decode_windows"]

_PART_WINDOWS = 30
"""Windows that a part has at least: six minutes, beside which opening the file once more is little."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedWindow:
    """A window's frames, [V, 3, H, W] uint8 at the model's size, with its thumbnail and its file.

    V is T, or less where several of the T instants show the same frame.
    """

    info: VideoInfo
    window: Window
    frames: Tensor
    thumbnail: bytes


Windows: TypeAlias = "Generator[DecodedWindow | Part, None, None]"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a file's windows, for whoever has time: `decode` opens the file once more and gives them."""

    decode: Callable[[], Windows]


def decode_windows(
    path: Path, *, window_seconds: float, frames: int, preprocessing: Preprocessing, parts: int = 1
) -> Windows:
    """Open a file and decode it window by window, each when it is asked for; only that one is in memory.

    Args:
        path: of the video.
        window_seconds: a longer file is cut into windows of about this length at most; see `cut_windows`.
        frames: T, frames a window.
        preprocessing: of the model.
        parts: into how many a long file may be cut, to be decoded side by side.

    Yields:
        The parts of a long file but the first, and then that one's windows in time order, at least one.

    Raises:
        VideoError: no frames can be had.
    """
    with VideoReader(path) as reader:
        info = reader.info
        windows = cut_windows(info.duration_seconds, window_seconds, cuts=reader.scene_cuts())
        shares = _shares(windows, parts if reader.random_access else 1)
        for share in shares[1:]:
            yield Part(partial(_decode_part, reader, info, share, frames, preprocessing))
        yield from _decode(reader, info, shares[0], frames, preprocessing)


def _shares(windows: Sequence[Window], most: int) -> list[Sequence[Window]]:
    count = max(1, min(most, len(windows) // _PART_WINDOWS))
    bounds = [place * len(windows) // count for place in range(count + 1)]
    return [windows[start:end] for start, end in pairwise(bounds)]


def _decode_part(
    first: VideoReader, info: VideoInfo, windows: Sequence[Window], frames: int, preprocessing: Preprocessing
) -> Windows:
    with first.twin() as reader:
        yield from _decode(reader, info, windows, frames, preprocessing)


def _decode(
    reader: VideoReader, info: VideoInfo, windows: Sequence[Window], frames: int, preprocessing: Preprocessing
) -> Windows:
    for window, look in zip(windows, read_windows(reader, windows, frames, preprocessing), strict=True):
        yield DecodedWindow(info, window, look.frames, look.pictures[0][1])
