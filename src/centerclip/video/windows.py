"""How a long video is cut into windows. Knows seconds only: no files and no frames."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from centerclip.records import Window

__all__ = ["cut_windows"]

_SNAP = 0.25
"""How far a border may move to a scene cut, as a part of a window's length; so it is also how much
longer than asked for a window may become."""


def cut_windows(
    duration_seconds: float, max_seconds: float = 12.0, *, cuts: Sequence[float] = ()
) -> list[Window]:
    """Cut a video into windows that tile it without gap or overlap.

    A video of at most `max_seconds` is one window. A longer one gets the fewest equal windows that are
    not longer than `max_seconds`; each inner border then moves to the nearest scene cut within a quarter
    of the equal length, unless its window would become longer than 1.25 `max_seconds`.

    Args:
        duration_seconds: > 0, finite.
        max_seconds: > 0; may be infinite, for one window whatever the duration.
        cuts: instants of scene cuts in seconds, in any order.

    Returns:
        At least one window, in time order; the first starts at 0, the last ends at `duration_seconds`.

    Raises:
        ValueError: a duration or a maximum that is not above zero, or a duration that is not finite.
    """
    if not (math.isfinite(duration_seconds) and duration_seconds > 0):
        raise ValueError(f"duration_seconds is {duration_seconds}, but must be finite and above zero")
    if not max_seconds > 0:
        raise ValueError(f"max_seconds is {max_seconds}, but must be above zero")
    count = max(1, math.ceil(duration_seconds / max_seconds))
    length = duration_seconds / count
    ordered = sorted(cuts)
    borders = [0.0]
    for number in range(1, count):
        regular = number * length
        farthest = min(regular + _SNAP * length, borders[-1] + (1 + _SNAP) * max_seconds)
        near = ordered[bisect_left(ordered, regular - _SNAP * length) : bisect_right(ordered, farthest)]
        borders.append(min(near, key=lambda cut: abs(cut - regular), default=regular))
    borders.append(duration_seconds)
    return [Window(start, end) for start, end in pairwise(borders)]
