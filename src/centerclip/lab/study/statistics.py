"""Estimates over seeds and videos, both random; tests of difference and of equivalence; power.

A difference is worth something only if it holds for other seeds and for other videos. So the variance of a
mean over both has three parts, and an interval from videos alone, or from seeds alone, is too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from centerclip.errors import ConfigError

try:
    from scipy import stats
except ImportError as error:
    raise ConfigError("a study needs scipy: pip install 'centerclip[plots]'") from error

__all__ = ["ALPHA", "Effect", "detectable", "effect", "equivalence_power", "holm"]

ALPHA = 0.05
"""Level of all tests, after the correction for the number of comparisons."""
_POWER = 0.8


@dataclass(frozen=True)
class Effect:
    """The mean of a table of seeds and videos.

    Attributes:
        value: the mean.
        low, high: its 95 % interval.
        error: standard error.
        freedom: degrees of freedom of the t distribution.
        p_value: of the two-sided test that the true mean is 0.
    """

    value: float
    low: float
    high: float
    error: float
    freedom: float
    p_value: float

    def equivalence(self, margin: float) -> float:
        """P-value of the two one-sided tests (TOST) that the true mean is at least `margin` from 0."""
        if self.error == 0:
            return float(abs(self.value) >= margin)
        distance = (margin - abs(self.value)) / self.error
        return float(stats.t.sf(distance, self.freedom))


def effect(table: ArrayLike) -> Effect:
    """Estimate the mean of a table whose rows and columns are both samples.

    The variance is that of the crossed two-way random model, (MS_seeds + MS_videos - MS_rest) / (S V), with
    Satterthwaite's degrees of freedom. It never falls below either of the first two terms alone. With a
    single seed, only videos vary.

    Args:
        table: [S, V] figures of S seeds and V videos, such as paired differences. At least two videos.

    Raises:
        ValueError: fewer than two videos, or figures that aren't finite.

    Source: Satterthwaite 1946; Clark 1973 (language as a fixed effect) for why both must be random.
    """
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"table {list(values.shape)} must be finite figures of seeds and at least two videos"
        )
    mean = float(values.mean())
    variance, freedom = _variance(values)
    error = float(np.sqrt(variance))
    reach = float(stats.t.isf(ALPHA / 2, freedom)) * error
    # Without any variance, t is infinite, or not a number.
    p_value = float(2 * stats.t.sf(abs(mean) / error, freedom)) if error else float(mean == 0)
    return Effect(mean, mean - reach, mean + reach, error, freedom, p_value)


def _variance(values: NDArray[np.float64]) -> tuple[float, float]:
    """The variance of the mean, and its degrees of freedom."""
    seeds, videos = values.shape
    by_video = seeds * float(values.mean(0).var(ddof=1))
    if seeds == 1:
        return by_video / videos, videos - 1.0
    by_seed = videos * float(values.mean(1).var(ddof=1))
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    left = float((rest**2).sum()) / ((seeds - 1) * (videos - 1))
    parts = ((by_seed, seeds - 1), (by_video, videos - 1), (-left, (seeds - 1) * (videos - 1)))
    combined = sum(square for square, _ in parts)
    floor, freedom = max(parts[:2])
    if combined <= floor:  # an estimate of a variance that would be negative
        return floor / values.size, float(freedom)
    freedom = combined**2 / sum(square**2 / count for square, count in parts)
    return combined / values.size, float(freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct the p-values of a family of tests for their number, by Holm's step-down method."""
    ascending = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, np.float64)[ascending] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[ascending] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected.tolist()


def detectable(error: float, freedom: float, *, tests: int = 1) -> float:
    """The smallest true difference that is found with a power of 80 %, at the strictest of Holm's steps."""
    return error * float(stats.t.isf(ALPHA / tests / 2, freedom) + stats.t.ppf(_POWER, freedom))


def equivalence_power(error: float, freedom: float, margin: float, *, tests: int = 1) -> float:
    """The probability that equal systems are found equivalent, at the strictest of Holm's steps."""
    reach = margin / error - float(stats.t.isf(ALPHA / tests, freedom))
    return max(0.0, 2 * float(stats.t.cdf(reach, freedom)) - 1)
