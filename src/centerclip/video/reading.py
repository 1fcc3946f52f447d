"""Windows of a file as the model takes them: sampled, resized, with small pictures for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centerclip.preprocessing import Preprocessing
from centerclip.records import Window
from centerclip.video.decode import VideoReader
from centerclip.video.sampling import instants
from centerclip.video.thumbnail import is_telling, to_jpeg
from centerclip.video.transforms import fit

__all__ = ["Look", "read_window", "read_windows"]

_ONE_OF_SEVERAL = {"max_width": 224, "quality": 75}
"""Four such pictures take 2.2 times the bytes of a single one."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a window shows at T instants, one in each of its T equal strides.

    V is the number of different frames, less than T where several instants show the same one.

    Attributes:
        frames: [V, 3, height, width] uint8, at the model's size.
        seconds: [V] float64, when each frame is first shown, from the file's first frame.
        bounds: [V + 1] float64: frame v stands for the strides from `bounds[v]` to `bounds[v + 1]`, in
            seconds. The first and the last are the window's own.
        pictures: pairs of seconds and a JPEG file that shows the window from there on, in time order; the
            first at the window's start. Empty where none were asked for.
    """

    frames: Tensor
    seconds: NDArray[np.float64]
    bounds: NDArray[np.float64]
    pictures: tuple[tuple[float, bytes], ...]


def read_window(
    reader: VideoReader,
    window: Window,
    frames: int,
    preprocessing: Preprocessing,
    *,
    pictures: int = 1,
    rng: np.random.Generator | None = None,
) -> Look:
    """Look at a window at `frames` instants.

    Args:
        reader: an open file.
        window: a stretch of it.
        frames: T, the number of instants.
        preprocessing: of the model.
        pictures: parts of the window to make a picture of, each of as many strides, T at most. It is made
            of the frame nearest the part's middle that is neither dark nor flat. A part whose frame has
            been pictured just before gets none. One picture is at most 320 pixels wide, several are 224.
        rng: as for `instants`: None for testing, a generator for training.
    """
    shown = reader.frames_at(instants(window, frames, rng=rng))
    return _look(shown, window, frames, preprocessing, pictures)


def read_windows(
    reader: VideoReader,
    windows: Sequence[Window],
    frames: int,
    preprocessing: Preprocessing,
    *,
    pictures: int = 1,
) -> Iterator[Look]:
    """Look at the windows of a file in one pass over it.

    Yields for each window what `read_window` returns. A group of pictures that lies across a border is
    decoded once, and memory doesn't grow with the number of windows.

    Args:
        reader: an open file; use up the iterator before reading from it again.
        windows: in time order, without overlap.
        frames, preprocessing, pictures: as for `read_window`.
    """
    if windows:
        shown = reader.frames_at(np.concatenate([instants(window, frames) for window in windows]))
        for window in windows:
            yield _look(shown, window, frames, preprocessing, pictures)


def _look(
    shown: Iterator[tuple[float, NDArray[np.uint8]]],
    window: Window,
    strides: int,
    preprocessing: Preprocessing,
    pictures: int,
) -> Look:
    edges = np.linspace(window.start_seconds, window.end_seconds, strides + 1)  # [T + 1]
    parts = max(1, min(pictures, strides))
    style = {} if parts == 1 else _ONE_OF_SEVERAL
    frames: list[Tensor] = []
    seconds: list[float] = []
    firsts: list[int] = []
    album: list[tuple[float, bytes]] = []
    pictured: float | None = None
    for first, end in pairwise(part * strides // parts for part in range(parts + 1)):
        best = (True, 2 * strides)
        for stride, (time, picture) in enumerate(islice(shown, end - first), first):
            if not seconds or time != seconds[-1]:
                # A copy-free [1, 3, H, W] with channels last, which is what resizing is fast on. One picture
                # at a time: a dozen of a 4K film would take 300 MB, and their sizes may differ.
                frames.append(fit(torch.from_numpy(picture).permute(2, 0, 1)[None], preprocessing))
                seconds.append(time)
                firsts.append(stride)
                blank = pictures > 0 and not is_telling(picture)
            preference = (blank, abs(2 * stride + 1 - first - end))  # in halves of a stride from the middle
            if preference < best:
                best, chosen = preference, (time, picture)
        if pictures and chosen[0] != pictured:
            pictured = chosen[0]
            album.append((float(edges[first]), to_jpeg(chosen[1], **style)))
    return Look(
        frames=torch.cat(frames),  # [V, 3, height, width]
        seconds=np.array(seconds),
        bounds=edges[[*firsts, strides]],
        pictures=tuple(album),
    )
