"""Moments: the part of a window that answers the query, joined with the next window's if it continues there.

A score counts as related if it is closer to the best one than to the background, which is what an unrelated
window scores for the same query. So the limit depends on query and collection, and no cosine is ever compared
with a constant. The tail of search results is cut by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.index import StoredWindow

__all__ = ["Moment", "best_run", "is_related", "join_moments"]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A stretch of a file: the best run of one window, or touching runs of adjacent windows.

    `score` is its best segment's, so that what else a window shows doesn't lower it; `window` contains that
    segment, and `peak` is its middle, in seconds.
    """

    window: StoredWindow
    start: float
    end: float
    score: float
    peak: float


def is_related(score: float, best: float, background: float) -> bool:
    """Whether a score is closer to the best one than to the background."""
    return score > (best + background) / 2


def best_run(scores: NDArray[np.floating], background: float) -> tuple[int, int]:
    """Find the run of segments around the best one that is related to the query.

    It contains the best segment, and has the highest sum of `score - (best + background) / 2`: it spans a
    weaker segment only if what follows makes up for it. Shifting or scaling scores and background together
    doesn't change it.

    Args:
        scores: [S] cosines of the query with a window's segments, S >= 1.
        background: the score of an unrelated window.

    Returns:
        First and end (exclusive) of the run; the whole window if its best segment doesn't exceed the
        background, because then nothing stands out.
    """
    values = scores.tolist()  # few enough: 2.6 us as Python floats, 16 us as arrays
    highest = max(values)
    if highest <= background:
        return 0, len(values)
    best = values.index(highest)
    excess = [value - (highest + background) / 2 for value in values]
    return best - _best_length(excess[:best][::-1]), best + 1 + _best_length(excess[best + 1 :])


def join_moments(
    windows: Iterable[StoredWindow], query: NDArray[np.float32], background: float
) -> list[Moment]:
    """Cut each window to its best run, and join runs that touch across adjacent windows of a file.

    They are joined only if their best segments are related, so that a moment doesn't continue into an
    unrelated window. If several paths have the same content, one of them remains.

    Returns:
        Moments in descending order of score; equal ones ordered by path and time.
    """
    once = {(w.video_id, w.window.start_seconds): w for w in sorted(windows, key=_place, reverse=True)}
    moments: list[Moment] = []
    open_end: tuple[Path, float] | None = None  # where the last moment ends, if that is its window's end
    for window in sorted(once.values(), key=_place):
        scores = window.segments @ query
        first, end = best_run(scores, background)
        start, stop = window.bounds[[first, end]].tolist()
        best_segment = int(scores.argmax())
        peak = float(window.bounds[best_segment : best_segment + 2].mean())
        moment = Moment(window, start, stop, float(scores.max()), peak)
        if first == 0 and open_end == (window.path, window.window.start_seconds):
            before = moments[-1]
            best = max(before, moment, key=lambda one: one.score)
            if is_related(min(before.score, moment.score), best.score, background):
                moment = Moment(best.window, moments.pop().start, stop, best.score, best.peak)
        moments.append(moment)
        open_end = (window.path, window.window.end_seconds) if end == len(window.segments) else None
    return sorted(moments, key=lambda one: -one.score)


def _best_length(excess: Sequence[float]) -> int:
    """Return how many segments to take on one side: up to the highest running sum, if that is above zero."""
    length, highest = 0, 0.0
    for taken, total in enumerate(accumulate(excess), start=1):
        if total > highest:
            length, highest = taken, total
    return length


def _place(window: StoredWindow) -> tuple[str, float]:
    return str(window.path), window.window.start_seconds
