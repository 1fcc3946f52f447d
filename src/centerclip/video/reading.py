"""Read windows as the model needs them: sampled, resized, with small pictures for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centerclip.preprocessing import Preprocessing
from centerclip.records import Sampling, Window
from centerclip.video.reader import VideoReader
from centerclip.video.thumbnail import is_telling, to_jpeg
from centerclip.video.transforms import fit
from centerclip.video.windows import instants, strides

__all__ = ["Look", "read_window", "read_windows"]

_TOGETHER = 15
"""Windows whose frames are chosen together: a reader needn't know all packets of a long file at once."""
_ONE_OF_SEVERAL = {"max_width": 224, "quality": 75}
"""Four such pictures take 2.2 times the bytes of a single large one."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The frames that a window shows at T instants, one for each of its T equal strides.

    V is the number of distinct frames, below T if several instants show the same one.

    Attributes:
        frames: [V, 3, height, width] uint8, at the model's size.
        seconds: [V] float64, when each frame appears, counted from the file's first frame.
        bounds: [V + 1] float64, in seconds: frame v represents the strides from `bounds[v]` to
            `bounds[v + 1]`. The first and last are the window's start and end.
        pictures: pairs of start in seconds and JPEG file, in time order; each shows the window from its start
            on, and the first starts with the window. Empty if none were requested.
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
    """Read the frames of a window at `frames` instants.

    Args:
        reader: an open file.
        window: the stretch to read.
        frames: T, the number of instants.
        preprocessing: of the model.
        pictures: how many parts of the window get a picture; at most T. It shows the frame nearest to the
            middle of the part that is neither dark nor flat; a part whose frame has just been pictured gets
            none. A single picture is at most 320 pixels wide, several are at most 224.
        rng: for training; None for testing. See `instants`.
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
    sampling: Sampling = "center",
) -> Iterator[Look]:
    """Read the windows of a file in one pass, as `read_window` does each.

    A group of pictures across a border is decoded once. Memory doesn't grow with the number of windows.

    Args:
        reader: an open file; exhaust the iterator before reading from it again.
        windows: in time order, without overlap.
        frames, preprocessing, pictures: as for `read_window`.
        sampling: which frame represents a stride.
    """
    for first in range(0, len(windows), _TOGETHER):
        some = windows[first : first + _TOGETHER]
        shown = reader.frames_at(reader.choose(some, frames, sampling))
        for window in some:
            yield _look(shown, window, frames, preprocessing, pictures)


def _look(
    shown: Iterator[tuple[float, NDArray[np.uint8]]],
    window: Window,
    count: int,
    preprocessing: Preprocessing,
    pictures: int,
) -> Look:
    edges = strides(window, count)  # [T + 1]
    parts = max(1, min(pictures, count))
    style = {} if parts == 1 else _ONE_OF_SEVERAL
    frames: list[Tensor] = []
    seconds: list[float] = []
    firsts: list[int] = []
    album: list[tuple[float, bytes]] = []
    pictured: float | None = None
    telling: bool | None = None
    for first, end in pairwise(part * count // parts for part in range(parts + 1)):
        best = (True, 2 * count)  # blank, and the distance from the middle in halves of a stride
        for stride, (time, picture) in enumerate(islice(shown, end - first), first):
            if not seconds or time != seconds[-1]:
                # Without a copy, with channels last, which resizes fast. One frame at a time: a dozen 4K
                # frames take 300 MB, and their sizes may differ.
                frames.append(fit(torch.from_numpy(picture).permute(2, 0, 1)[None], preprocessing))
                seconds.append(time)
                firsts.append(stride)
                telling = None
            distance = abs(2 * stride + 1 - first - end)
            if (False, distance) < best:
                if telling is None:  # not asked for every frame, because that takes time
                    telling = pictures > 0 and is_telling(picture)
                if (not telling, distance) < best:
                    best, chosen = (not telling, distance), (time, picture)
        if pictures and chosen[0] != pictured:
            pictured = chosen[0]
            album.append((float(edges[first]), to_jpeg(chosen[1], **style)))
    return Look(
        frames=torch.cat(frames),  # [V, 3, height, width]
        seconds=np.array(seconds),
        bounds=edges[[*firsts, count]],
        pictures=tuple(album),
    )
