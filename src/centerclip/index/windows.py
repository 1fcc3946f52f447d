"""What a search asks of the engine that holds an index's windows: `nearest`, `rows`, `count` and `version`.

`Snapshot` is the engine that comes with the index. Another one, such as a server of vectors that indexes the
same tables in place, implements these four; everything above works with either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.index.restriction import Restriction
from centerclip.index.schema import StoredWindow, stored_path
from centerclip.index.sql import Condition, any_of

__all__ = ["Matches", "Windows"]


@dataclass(frozen=True, slots=True)
class Matches:
    """The result of a search for one query vector.

    `windows` are in descending order of score. `background` is the query's median score over the whole index
    (a fixed sample of a large one), ignoring the condition: what an unrelated window scores. `sampled` is the
    number of windows in that median.
    """

    windows: tuple[StoredWindow, ...]
    background: float
    sampled: int


class Windows(ABC):
    """The windows of an index at one version. It never changes, so any number of threads may use it."""

    version: int
    """Of the table of windows."""

    @property
    @abstractmethod
    def count(self) -> int:
        """The number of windows."""

    @property
    def exact(self) -> bool:
        """Whether a search compares every window."""
        return False

    @abstractmethod
    def nearest(
        self, vectors: NDArray[np.float32], top: int, *, only: Restriction, per_video: int | None
    ) -> list[Matches]:
        """Find the `top` windows nearest to each of `vectors` [Q, E], unit length.

        Up to `per_video` of them have the same content.

        Raises:
            QueryError: the time is up.
        """

    @abstractmethod
    def rows(self, where: Condition) -> list[StoredWindow]:
        """Return the windows that meet a condition, ordered by path and time."""

    def contents_near(self, vectors: NDArray[np.float32], top: int) -> list[list[str]]:
        """Return the `top` contents whose windows are nearest to each of `vectors` [Q, E], nearest first."""
        found = self.nearest(vectors, top, only=Restriction(), per_video=1)
        return [[window.video_id for window in matches.windows] for matches in found]

    def covering(self, spans: Sequence[tuple[Path, float, float]]) -> list[StoredWindow | None]:
        """Return for each span of a file, in seconds, the window with most of it; None if there is none."""
        windows = self.rows(any_of("path", sorted({stored_path(path) for path, _, _ in spans})))
        chosen: list[StoredWindow | None] = []
        for path, start, end in spans:
            shared = [
                (min(end, each.window.end_seconds) - max(start, each.window.start_seconds), each)
                for each in windows
                if stored_path(each.path) == stored_path(path)
                and each.window.start_seconds < end
                and each.window.end_seconds > start
            ]
            best = max(shared, key=lambda pair: (pair[0], -pair[1].window.start_seconds), default=None)
            chosen.append(best[1] if best else None)
        return chosen
