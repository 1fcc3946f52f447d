"""Cut a video into windows, and choose the instants to look at. Knows seconds only: no files, no frames."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from centerclip.records import Window

__all__ = ["cut_windows", "instants", "strides"]

_SNAP = 0.25
"""How far a border may move to a scene cut, as a fraction of a window's length; a window may become this much
longer than requested."""


def cut_windows(
    duration_seconds: float,
    max_seconds: float = 12.0,
    *,
    cuts: Sequence[float] = (),
    frames: int | None = None,
) -> list[Window]:
    """Cut a video into windows without gap or overlap.

    A video of up to `max_seconds` is one window. A longer one gets the fewest equal windows of at most
    `max_seconds`. Each inner border then moves to the nearest scene cut within a quarter of a window's
    length, unless a window would become longer than 1.25 `max_seconds`.

    There are never more windows than frames: a file whose few frames are days apart gets longer windows.

    Args:
        duration_seconds: > 0, finite.
        max_seconds: > 0; infinity always makes one window.
        cuts: scene cuts in seconds, in any order.
        frames: number of distinct frames, at least 1; None for no limit.

    Returns:
        At least one window, in time order; the first starts at 0, the last ends at `duration_seconds`.

    Raises:
        ValueError: a duration or maximum that isn't above zero, or an infinite duration.
    """
    if not (math.isfinite(duration_seconds) and duration_seconds > 0):
        raise ValueError(f"duration_seconds is {duration_seconds}, but must be finite and above zero")
    if not max_seconds > 0:
        raise ValueError(f"max_seconds is {max_seconds}, but must be above zero")
    if frames is not None and frames < 1:
        raise ValueError(f"frames is {frames}, but must be at least 1")
    count = max(1, math.ceil(duration_seconds / max_seconds))
    count = count if frames is None else min(count, frames)
    length = duration_seconds / count
    longest = max((1 + _SNAP) * max_seconds, length)
    ordered = sorted(cuts)
    borders = [0.0]
    for number in range(1, count):
        regular = number * length
        farthest = min(regular + _SNAP * length, borders[-1] + longest)
        near = ordered[bisect_left(ordered, regular - _SNAP * length) : bisect_right(ordered, farthest)]
        borders.append(min(near, key=lambda cut: abs(cut - regular), default=regular))
    borders.append(duration_seconds)
    return [Window(start, end) for start, end in pairwise(borders)]


def strides(window: Window, frames: int) -> NDArray[np.float64]:
    """Divide a window into `frames` equal strides: [frames + 1] float64, in seconds, where they begin and
    end."""
    return np.linspace(window.start_seconds, window.end_seconds, frames + 1)


def instants(window: Window, frames: int, *, rng: np.random.Generator | None = None) -> NDArray[np.float64]:
    """Choose the instants at which to look at a window, one in each of `frames` equal strides.

    Args:
        window: a stretch of a file, in seconds.
        frames: T >= 1.
        rng: for training, draws an instant uniformly from each stride; None, for testing, takes the middles.

    Returns:
        [T] float64, seconds from the file's first frame, ascending, inside the window.

    Raises:
        ValueError: `frames` below 1, or a window that is empty or not finite.

    Source: TSN (arXiv 1608.00859) section 3.1, as CLIP4Clip and CenterCLIP sample.
    """
    if frames < 1:
        raise ValueError(f"frames is {frames}, but must be at least 1")
    length = window.end_seconds - window.start_seconds
    if not (np.isfinite(length) and length > 0):
        raise ValueError(f"{window} is empty: its end must come after its start")
    offsets = np.full(frames, 0.5) if rng is None else rng.random(frames)
    return window.start_seconds + (np.arange(frames) + offsets) * (length / frames)
