"""Windows of a file as the model takes them: sampled, resized, with a thumbnail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centerclip.records import Window
from centerclip.video.decode import VideoReader
from centerclip.video.sampling import instants
from centerclip.video.thumbnail import is_telling, to_jpeg
from centerclip.video.transforms import resize_crop

__all__ = ["read_window", "read_windows"]


def read_window(
    reader: VideoReader,
    window: Window,
    frames: int,
    size: tuple[int, int],
    *,
    rng: np.random.Generator | None = None,
) -> tuple[Tensor, bytes]:
    """Look at a window at `frames` instants.

    Args:
        reader: an open file.
        window: a stretch of it.
        frames: T, how many instants.
        size: (height, width) of the model's input.
        rng: as for `instants`: None for testing, a generator for training.

    Returns:
        [T_valid, 3, height, width] uint8, where T_valid < T if several instants show the same frame, and
        a thumbnail: a JPEG of the frame nearest the middle that is neither dark nor flat.
    """
    shown = reader.frames_at(instants(window, frames, rng=rng))
    return _prepare(shown, (window.start_seconds + window.end_seconds) / 2, size)


def read_windows(
    reader: VideoReader, windows: Sequence[Window], frames: int, size: tuple[int, int]
) -> Iterator[tuple[Tensor, bytes]]:
    """Look at the windows of a file in one pass over it.

    Gives for each window what `read_window` does. A group of pictures that lies across a border is
    decoded once, and memory doesn't grow with the count of windows.

    Args:
        reader: an open file; use up the iterator before reading from it again.
        windows: in time order, without overlap.
        frames: T, how many instants in each.
        size: (height, width) of the model's input.
    """
    if windows:
        shown = reader.frames_at(np.concatenate([instants(window, frames) for window in windows]))
        for window in windows:
            yield _prepare(islice(shown, frames), (window.start_seconds + window.end_seconds) / 2, size)


def _prepare(
    shown: Iterable[tuple[float, NDArray[np.uint8]]], middle: float, size: tuple[int, int]
) -> tuple[Tensor, bytes]:
    prepared: list[Tensor] = []
    best: tuple[bool, float] | None = None
    for time, same in groupby(shown, key=lambda frame: frame[0]):
        _, picture = next(same)
        # A copy-free [1, 3, H, W] with channels last, which is what resizing is fast on. One picture at
        # a time: a dozen of a 4K film would take 300 MB, and their sizes may differ.
        prepared.append(resize_crop(torch.from_numpy(picture).permute(2, 0, 1)[None], size))
        preference = (not is_telling(picture), abs(time - middle))
        if best is None or preference < best:
            best, chosen = preference, picture
    return torch.cat(prepared), to_jpeg(chosen)  # [T_valid, 3, height, width]
