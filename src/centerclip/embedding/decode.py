"""From a file to the windows a model looks at, each decoded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from centerclip.preprocessing import Preprocessing
from centerclip.records import Item, VideoInfo, Window
from centerclip.video import VideoReader, cut_windows, read_windows

__all__ = ["Decode", "DecodedWindow", "Decoder", "Part", "Windows", "window_of"]

_PART_WINDOWS = 30
"""Fewest windows of a part: six minutes, beside which opening the file once more costs little."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedWindow:
    """A window's frames and pictures, and the file they are from.

    Attributes:
        frames: [V, 3, H, W] uint8 at the model's size. V is T, or less where several of the T instants show
            the same frame.
        bounds: [V + 1] float64, seconds: frame v stands for the window from `bounds[v]` to `bounds[v + 1]`.
        pictures: as in `EncodedWindow`; none if none were asked for.
    """

    info: VideoInfo
    window: Window
    frames: Tensor
    bounds: NDArray[np.float64]
    pictures: tuple[tuple[float, bytes], ...] = ()


Windows: TypeAlias = "Generator[DecodedWindow | Part, None, None]"
Decode: TypeAlias = Callable[[Item], Windows]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a long file's windows that may be decoded beside the others: `decode` opens the file
    again."""

    decode: Callable[[], Windows]


@dataclass(frozen=True, slots=True)
class Decoder:
    """Opens files and decodes them window by window, with only one window in memory; can be pickled.

    Attributes:
        frames: T, frames per window.
        preprocessing: of the model.
        window_seconds: a longer file is cut into windows of at most about this length; see `cut_windows`. An
            item that names a part of a file is one window.
        pictures: pictures per window, 0 for none.
        parts: how many parts a long file may be cut into.
    """

    frames: int
    preprocessing: Preprocessing
    window_seconds: float = inf
    pictures: int = 0
    parts: int = 1

    def __call__(self, item: Item) -> Windows:
        """Decode a file.

        Yields:
            The other parts of a long file, then the windows of the first part in the order of time, at least
            one.

        Raises:
            VideoError: the file has no frames that can be decoded.
        """
        with VideoReader(item.path) as reader:
            info = reader.info
            if item.start_seconds is None and item.end_seconds is None:
                windows = cut_windows(info.duration_seconds, self.window_seconds, cuts=reader.scene_cuts())
            else:
                windows = [window_of(item, info.duration_seconds)]
            first, *others = _split(windows, self.parts if reader.random_access else 1)
            for part in others:
                yield Part(partial(self._decode_again, reader, info, part))
            yield from self._decode(reader, info, first)

    def _decode_again(self, first: VideoReader, info: VideoInfo, windows: Sequence[Window]) -> Windows:
        with first.twin() as reader:
            yield from self._decode(reader, info, windows)

    def _decode(self, reader: VideoReader, info: VideoInfo, windows: Sequence[Window]) -> Windows:
        looks = read_windows(reader, windows, self.frames, self.preprocessing, pictures=self.pictures)
        for window, look in zip(windows, looks, strict=True):
            yield DecodedWindow(info, window, look.frames, look.bounds, look.pictures)


def window_of(item: Item, duration: float) -> Window:
    """The whole item as one window, of a file that lasts `duration` seconds."""
    end = duration if item.end_seconds is None else min(item.end_seconds, duration)
    return Window(item.start_seconds or 0.0, end)


def _split(windows: Sequence[Window], most: int) -> list[Sequence[Window]]:
    count = max(1, min(most, len(windows) // _PART_WINDOWS))
    bounds = [place * len(windows) // count for place in range(count + 1)]
    return [windows[start:end] for start, end in pairwise(bounds)]
