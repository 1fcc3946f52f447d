"""Turn a file into the windows a model looks at, decoding each on demand."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from centerclip.errors import VideoError
from centerclip.preprocessing import Preprocessing
from centerclip.records import Item, Sampling, VideoInfo, Window
from centerclip.remote import as_place
from centerclip.video import Decoders, VideoReader, cut_windows, read_windows

__all__ = ["Decode", "DecodedWindow", "Decoder", "Part", "Windows", "window_of"]

_PART_WINDOWS = 3
"""Fewest windows per part, so that a file of a minute keeps two cores busy. Opening a file again takes 0.04 s
of processor time in 1080p and 0.1 s in 4K; decoding and encoding three windows take at least 1 and 2 s."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedWindow:
    """A window's frames and pictures, and the file they are from.

    Attributes:
        frames: [V, 3, H, W] uint8 at the model's size. V is T, or less if several of the T instants show the
            same frame.
        bounds: [V + 1] float64, seconds: frame v represents the window from `bounds[v]` to `bounds[v + 1]`.
        pictures: as in `EncodedWindow`; empty if none were requested.
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
    """Some windows of a long file, which can be decoded in parallel: `decode` opens the file again."""

    decode: Callable[[], Windows]


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes files window by window, with only one window in memory; can be pickled.

    Attributes:
        frames: T, frames per window.
        preprocessing: of the model.
        window_seconds: longer files are cut into windows of at most about this length; see `cut_windows`. An
            item that is a part of a file is one window.
        pictures: maximum number of pictures per window.
        sampling: which frame represents each of a window's T strides.
        parts: maximum number of parts of a long file.
        decoders: where the worker processes come from.
        locate: returns where a file can be read; may wait until it can.
    """

    frames: int
    preprocessing: Preprocessing
    window_seconds: float = inf
    pictures: int = 0
    sampling: Sampling = "center"
    parts: int = 1
    decoders: Decoders = field(default_factory=Decoders, compare=False)
    locate: Callable[[Path], Path] = as_place

    def __call__(self, item: Item) -> Windows:
        """Decode a file.

        Yields:
            The other parts of a long file, then at least one window of the first part, in time order.

        Raises:
            VideoError: no frame can be decoded, or the item starts after the end of the file.
        """
        place = self.locate(item.path)
        with _naming(item.path, place), VideoReader(place, self.decoders) as reader:
            info = replace(reader.info, path=item.path)
            if item.start_seconds is None and item.end_seconds is None:
                windows = cut_windows(
                    info.duration_seconds, self.window_seconds, cuts=reader.scene_cuts(), frames=reader.frames
                )
            else:
                windows = [window_of(item, info.duration_seconds)]
            first, *others = _split(windows, self.parts if reader.random_access else 1)
            packets = reader.packets() if others else b""
            for part in others:
                yield Part(partial(self._decode_again, place, packets, info, part))
            yield from self._decode(reader, info, first)

    def _decode_again(
        self, place: Path, packets: bytes, info: VideoInfo, windows: Sequence[Window]
    ) -> Windows:
        with _naming(info.path, place), VideoReader(place, self.decoders, packets) as reader:
            yield from self._decode(reader, info, windows)

    def _decode(self, reader: VideoReader, info: VideoInfo, windows: Sequence[Window]) -> Windows:
        looks = read_windows(
            reader,
            windows,
            self.frames,
            self.preprocessing,
            pictures=self.pictures,
            sampling=self.sampling,
        )
        for window, look in zip(windows, looks, strict=True):
            yield DecodedWindow(info, window, look.frames, look.bounds, look.pictures)


@contextmanager
def _naming(path: Path, place: Path) -> Iterator[None]:
    """Let errors name a file as the caller knows it, wherever it is read."""
    try:
        yield
    except VideoError as error:
        if place == path:
            raise
        raise VideoError(f"{path}: {str(error).removeprefix(f'{place}: ')}") from error


def window_of(item: Item, duration: float) -> Window:
    """Return an item of a file that lasts `duration` seconds as one window.

    Raises:
        VideoError: it starts after the end of the file, or after its own end.
    """
    start, end = item.start_seconds or 0.0, duration if item.end_seconds is None else item.end_seconds
    if not start < min(end, duration):
        raise VideoError(
            f"{item.path}: nothing to show from {start:g} to {end:g} seconds, since it lasts {duration:g}"
        )
    return Window(start, min(end, duration))


def _split(windows: Sequence[Window], most: int) -> list[Sequence[Window]]:
    count = max(1, min(most, len(windows) // _PART_WINDOWS))
    bounds = [place * len(windows) // count for place in range(count + 1)]
    return [windows[start:end] for start, end in pairwise(bounds)]
