"""A video as a path through the space of embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Track", "unit"]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A video's segments in time order: `vectors` [S, E] of unit length, from `starts` [S] to `ends` [S]."""

    vectors: NDArray[np.float32]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        return float(self.ends[-1])

    @property
    def typical_seconds(self) -> float:
        """The median length of a segment."""
        return float(np.median(self.ends - self.starts))

    def at(self, instants: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the path [n, E] at instants [n]; between the centers of two segments, it is between them.

        So a cut that doesn't fall on a border of segments can be compared with one that does.
        """
        centers = (self.starts + self.ends) / 2
        after = np.clip(np.searchsorted(centers, instants), 1, max(1, len(centers) - 1))
        before, after = after - 1, np.minimum(after, len(centers) - 1)
        gap = np.maximum(centers[after] - centers[before], 1e-9)
        part = np.clip((instants - centers[before]) / gap, 0.0, 1.0)[:, None].astype(np.float32)
        return unit(self.vectors[before] * (1 - part) + self.vectors[after] * part)

    def between(self, start: float, end: float) -> int:
        """Count the segments that lie in a stretch by at least half."""
        centers = (self.starts + self.ends) / 2
        return int(((centers >= start) & (centers <= end)).sum())

    def cut(self, start: float, end: float) -> Track | None:
        """Return the part whose segments' centers are from `start` to `end`; None if there is none."""
        centers = (self.starts + self.ends) / 2
        kept = (centers >= start) & (centers <= end)
        return Track(self.vectors[kept], self.starts[kept], self.ends[kept]) if kept.any() else None

    def backwards(self) -> Track:
        """Return the video as if it were played backwards."""
        return Track(self.vectors[::-1], self.seconds - self.ends[::-1], self.seconds - self.starts[::-1])


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale the rows [n, E] to unit length; zeros remain."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
    return scaled
