"""Aligns two videos: the stretch of each in which both show the same, in the same order, maybe at another
speed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from centerclip.duplicates.tracks import Track

__all__ = ["SPEEDS", "Run", "align"]

SPEEDS = (1.0, 1 / 2, 2 / 3, 4 / 5, 24 / 25, 25 / 24, 5 / 4, 3 / 2, 2.0)
"""Seconds of the second video per second of the first. 25/24 is film shown on European television."""
_OTHER_SPEED = 0.9
"""Two videos of equal speed are the rule; another must explain more than that."""
_STILL = 0.02
"""Changes this small, as a part of the library's variance, say little: they may be an encoder's noise."""
_ROWS = 64
"""Rows of the table of cosines that are computed at once."""
_SAMPLED = 512
"""Instants of a long run that are compared with each other."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of two videos that seems to show the same.

    `first` and `second` are start and end in seconds. `speed` is how many seconds of the second one pass in a
    second of the first. `likeness` is the mean cosine along the run. `order` is the correlation of what
    changes in both: 1 if the second changes as the first does, about 0 if only the scene is alike. `changes`
    is the number of segments in the shorter one, less what of it doesn't change: where all but one is black,
    it is about 1.
    """

    first: tuple[float, float]
    second: tuple[float, float]
    speed: float
    likeness: float
    order: float
    changes: float

    @property
    def strength(self) -> float:
        """From 0 to 1: likeness and order together, whatever the length."""
        return max(0.0, self.likeness) * max(0.0, self.order)

    @property
    def evidence(self) -> float:
        """Strength, growing with the number of changes that agree."""
        return self.strength * math.sqrt(max(0.0, self.changes - 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Grids:
    """Both paths at equal steps: `x` [n, E], and for each of `SPEEDS` a `y` [m, E], one after the other.

    `begins` [speeds + 1] are their places in `ys`.
    """

    x: NDArray[np.float32]
    ys: NDArray[np.float32]
    begins: NDArray[np.int64]

    @classmethod
    def of(cls, first: Track, second: Track, step: float) -> _Grids:
        """Look at the first path every `step` seconds, at the second every `step * speed`."""
        steps = step * np.array(SPEEDS)
        ys = [second.at(np.arange(other / 2, max(second.seconds, other), other)) for other in steps]
        x = first.at(np.arange(step / 2, max(first.seconds, step), step))
        return cls(x, np.concatenate(ys), np.cumsum([0, *map(len, ys)]))

    def y(self, speed: int) -> NDArray[np.float32]:
        return self.ys[self.begins[speed] : self.begins[speed + 1]]


@dataclass(frozen=True, slots=True)
class _Place:
    """A run on the grids: the number of its speed, where it begins in x and in y, and its length."""

    speed: int
    at: int
    other: int
    length: int


def align(first: Track, second: Track, unusual: float) -> Run | None:
    """Find the best run of two videos, None if no part is alike.

    A run is a diagonal of the table of cosines: its sum of `cosine - limit` is the highest among all
    diagonals and speeds. At first the limit is what is unusual in the library. The second time it is halfway
    between the run's cosines and those between different instants of it, so that the right offset and speed
    win where all are alike. On that diagonal, the run reaches as far as cosines are unusual.

    Args:
        first, second: in the space of the library's `Background`.
        unusual: the cosine from which two segments of unrelated videos are alike.
    """
    step = min(first.typical_seconds, second.typical_seconds) / 2
    grids = _Grids.of(first, second, step)
    place = _best(grids, unusual)
    if place is None:
        return None
    limit = max(unusual, _midway(grids, place))
    place = _along(grids, _best(grids, limit) or place, unusual)
    speed = SPEEDS[place.speed]
    spans = (
        (place.at * step, min((place.at + place.length) * step, first.seconds)),
        (place.other * step * speed, min((place.other + place.length) * step * speed, second.seconds)),
    )
    x, y = _both(grids, place)
    return Run(
        *spans,
        speed=speed,
        likeness=float(np.einsum("ne,ne->n", x, y).mean()),
        order=_order(x, y),
        changes=min(first.between(*spans[0]), second.between(*spans[1])) * _eventful(x, y),
    )


def _both(grids: _Grids, place: _Place) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The paths [n, E] along a run."""
    x = grids.x[place.at : place.at + place.length]
    return x, grids.y(place.speed)[place.other : place.other + place.length]


def _best(grids: _Grids, limit: float) -> _Place | None:
    """Return the run with the highest sum of `cosine - limit`, counted in time of the faster video.

    Kadane's algorithm on all diagonals of all speeds at once, a row at a time: memory grows with one video's
    length.
    """
    heads = grids.begins[:-1]
    sums = np.zeros(len(grids.ys), np.float32)
    starts = np.zeros(len(grids.ys), np.int64)
    best, best_starts, best_ends = sums.copy(), starts.copy(), starts.copy()
    for first_row in range(0, len(grids.x), _ROWS):
        table = grids.x[first_row : first_row + _ROWS] @ grids.ys.T - np.float32(limit)
        for row, gains in enumerate(table, start=first_row):
            before, begun = np.roll(sums, 1), np.roll(starts, 1)
            before[heads] = 0
            goes_on = before > 0
            sums = np.where(goes_on, before + gains, gains)
            starts = np.where(goes_on, begun, row)
            higher = sums > best
            best[higher], best_starts[higher], best_ends[higher] = sums[higher], starts[higher], row
    speeds = np.array(SPEEDS)
    weights = np.minimum(1, speeds) * np.where(speeds == 1, 1, _OTHER_SPEED)
    weighted = best * np.repeat(weights, np.diff(grids.begins))
    column = int(weighted.argmax())
    if weighted[column] <= 0:
        return None
    speed = int(np.searchsorted(grids.begins, column, side="right")) - 1
    length = int(best_ends[column] - best_starts[column]) + 1
    return _Place(speed, int(best_starts[column]), column - int(heads[speed]) - length + 1, length)


def _along(grids: _Grids, place: _Place, limit: float) -> _Place:
    """Return the best run on the diagonal of another one, under another limit."""
    y = grids.y(place.speed)
    back = min(place.at, place.other)
    at, other = place.at - back, place.other - back
    count = min(len(grids.x) - at, len(y) - other)
    gains = np.einsum("ne,ne->n", grids.x[at : at + count], y[other : other + count]) - limit
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    end = int((sums - np.minimum.accumulate(sums)).argmax())
    start = int(sums[: end + 1].argmin())
    return _Place(place.speed, at + start, other + start, end - start) if end > start else place


def _midway(grids: _Grids, place: _Place) -> float:
    """The middle between a run's cosines and those of its different instants."""
    steps = np.unique(np.linspace(0, place.length - 1, min(place.length, _SAMPLED)).astype(np.int64))
    x, y = _both(grids, place)
    table = x[steps] @ y[steps].T  # [steps, steps]
    apart = np.abs(np.subtract.outer(steps, steps)) >= 2
    elsewhere = table[apart].mean() if apart.any() else table.mean()
    return float(np.percentile(np.diagonal(table), 75) + elsewhere) / 2


def _order(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Correlate what changes along two paths [n, E].

    Their means are removed, and with them all that a fixed camera sees on any day, or what a crop does to
    every frame.
    """
    moved, other = x - x.mean(axis=0), y - y.mean(axis=0)
    size = math.sqrt(float((moved**2).sum() * (other**2).sum()))
    return float((moved * other).sum()) / (size + len(x) * _STILL)


def _eventful(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Return the part of two paths [n, E] among which their changes are spread: the participation ratio.

    It is 1 if each instant differs from the mean by as much, and 1/n if only one does.
    """
    sizes = (((x - x.mean(axis=0)) ** 2).sum(1) * ((y - y.mean(axis=0)) ** 2).sum(1)) ** 0.5  # [n]
    return float(sizes.sum() ** 2 / max(len(x) * float((sizes**2).sum()), 1e-12))
