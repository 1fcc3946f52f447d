"""What is usual in a library, so that only what is unusually alike counts.

Embeddings of a library share a direction and vary along few others; cosines of unrelated footage therefore
differ from model to model and from library to library. `Background` moves and scales the space so that
segments of the library have mean 0 and, along its main directions, equal variance. There, unrelated segments
have cosines around 0 and a known spread, whatever the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from centerclip.duplicates.tracks import Track, unit

__all__ = ["Background"]

_RIDGE = 0.1
"""Directions with less than this part of the mean variance are mostly noise, such as that of an encoder, and
are not enlarged."""
_PAIRS = 20_000
"""Random pairs of segments from which the spread is estimated: 3 % of error at worst."""
_SPREADS = 3.0
"""How many spreads above the usual a cosine must be for a segment to speak for a match. Of random pairs that
are normally distributed, one in 740 is above."""


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """The library's usual similarity.

    `mean` [E] and `scale` [E, E] move and scale segments; `unusual` is the cosine, after that, from which two
    segments count as alike.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    unusual: float

    @classmethod
    def of(cls, segments: NDArray[np.float32], owners: NDArray[np.int64]) -> Background:
        """Estimate it from a sample.

        Args:
            segments: [N, E], N >= 1.
            owners: [N], a number for each one's video; only pairs of different videos are compared.
        """
        wide = segments.astype(np.float64)
        mean = wide.mean(axis=0)
        centered = wide - mean
        variances, directions = np.linalg.eigh(centered.T @ centered / len(centered))
        variances = np.maximum(variances, 0.0)
        ridge = max(_RIDGE * float(variances.mean()), np.finfo(np.float32).tiny)
        scale = directions / np.sqrt(variances + ridge)
        scaled = unit((centered @ scale).astype(np.float32))
        rng = np.random.default_rng(0)
        one, other = rng.integers(len(scaled), size=(2, _PAIRS))
        differ = owners[one] != owners[other]
        if not differ.any():
            return cls(mean, scale, 0.0)
        cosines = np.einsum("ne,ne->n", scaled[one[differ]], scaled[other[differ]])
        # The lower half alone, because duplicates are in the upper one.
        middle, low = np.percentile(cosines, [50, 15.87])
        return cls(mean, scale, float(max(middle + _SPREADS * (middle - low), 0.0)))

    def track(self, segments: NDArray[np.float32], bounds: NDArray[np.float64]) -> Track:
        """Make a track of a video's segments [S, E], which last from `bounds[:, 0]` to `bounds[:, 1]`."""
        scaled = (segments.astype(np.float64) - self.mean) @ self.scale
        return Track(unit(scaled.astype(np.float32)), bounds[:, 0], bounds[:, 1])

    def queries(self, segments: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return vectors [S, E] that order an index's vectors by dot product as the scaled space does.

        A segment that equals the mean, which nothing resembles more than anything else, stays as it is.
        """
        moved = (segments.astype(np.float64) - self.mean) @ self.scale @ self.scale.T
        plain = np.linalg.norm(moved, axis=1) <= 1e-9
        moved[plain] = segments[plain]
        return unit(moved.astype(np.float32))
