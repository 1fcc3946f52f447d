"""Moments: which part of a window answers the query, and windows joined where that part goes on.

One criterion serves here and in the tail of results: a score counts as related when it is nearer to the
best one than to the background, which is what an unrelated window scores for the same query. It moves with
the query and the collection, so no cosine is ever compared with a constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from centerclip.index import StoredWindow

__all__ = ["Moment", "best_run", "is_related", "join_moments", "keep_per_video"]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A stretch of a file: the best run of one window, or runs of adjacent windows that touch.

    `score` is that of the best of their segments, so that a scene is not held against what else its window
    shows; `window` is the one that segment lies in.
    """

    window: StoredWindow
    start: float
    end: float
    score: float


def is_related(score: float, best: float, background: float) -> bool:
    """Tell whether a score is nearer to the best one than to the background."""
    return score > (best + background) / 2


def best_run(scores: NDArray[np.floating], background: float) -> tuple[int, int]:
    """Find the run of segments around the best one that is related to the query.

    The run holds the best segment and has the highest sum of `score - (best + background) / 2`: a weaker
    segment is bridged only where what lies behind it outweighs it. Scores and background may be shifted
    or scaled together without changing the run.

    Args:
        scores: [S] cosines of the query with the segments of a window, S >= 1.
        background: the score of an unrelated window.

    Returns:
        first and end (exclusive) of the run; the whole window where not even its best segment exceeds
        the background, since then nothing in it stands out.
    """
    values = scores.tolist()  # a handful: 2.6 us as Python's floats, 16 us as arrays
    highest = max(values)
    if highest <= background:
        return 0, len(values)
    best = values.index(highest)
    excess = [value - (highest + background) / 2 for value in values]
    return best - _best_length(excess[:best][::-1]), best + 1 + _best_length(excess[best + 1 :])


def join_moments(
    windows: Iterable[StoredWindow], query: NDArray[np.float32], background: float
) -> list[Moment]:
    """Cut each window to its best run, and join runs that touch across adjacent windows of one file.

    They are joined only if the weaker one's best segment is related by the stronger one's, so that a
    moment doesn't go on into windows that merely have a best segment too. Of windows of the same content
    and time under several paths, one remains.

    Returns:
        Moments in descending order of score; equal ones in the order of path and time.
    """
    once = {(w.video_id, w.window.start_seconds): w for w in sorted(windows, key=_place, reverse=True)}
    moments: list[Moment] = []
    reaches = False  # whether the moment made last goes on to the end of its window
    last: StoredWindow | None = None
    for window in sorted(once.values(), key=_place):
        scores = window.segments @ query
        first, end = best_run(scores, background)
        start, stop = window.bounds[[first, end]].tolist()
        moment = Moment(window, start, stop, float(scores.max()))
        touches = last is not None and reaches and first == 0 and _follows(last, window)
        if touches and _alike(moments[-1], moment, background):
            moments[-1] = _joined(moments[-1], moment)
        else:
            moments.append(moment)
        last, reaches = window, end == len(window.segments)
    return sorted(moments, key=lambda moment: -moment.score)


def _best_length(excess: Sequence[float]) -> int:
    """How many segments to take on one side: up to the highest running sum if it is above zero."""
    length, highest = 0, 0.0
    for taken, total in enumerate(accumulate(excess), start=1):
        if total > highest:
            length, highest = taken, total
    return length


def _place(window: StoredWindow) -> tuple[str, float]:
    return str(window.path), window.window.start_seconds


def _follows(last: StoredWindow, window: StoredWindow) -> bool:
    return last.path == window.path and last.window.end_seconds == window.window.start_seconds


def _alike(first: Moment, second: Moment, background: float) -> bool:
    weaker, stronger = sorted((first.score, second.score))
    return is_related(weaker, stronger, background)


def _joined(first: Moment, second: Moment) -> Moment:
    best = max(first, second, key=lambda moment: moment.score)
    return Moment(best.window, first.start, second.end, best.score)


def keep_per_video(moments: Sequence[Moment], per_video: int | None) -> list[Moment]:
    """The first `per_video` moments of each content, in order; all for None."""
    seen: dict[str, int] = {}
    kept = []
    for moment in moments:
        video_id = moment.window.video_id
        seen[video_id] = seen.get(video_id, 0) + 1
        if per_video is None or seen[video_id] <= per_video:
            kept.append(moment)
    return kept
