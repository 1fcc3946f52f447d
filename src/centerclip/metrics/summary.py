"""Summaries of ranks (R@K, MdR, MnR) with intervals, and differences of two systems.

R@K is the percentage of queries with an *expected* rank of at most K, so it can be recomputed from published
ranks. If the true item is tied with one other for the first place, its rank is 1.5, which doesn't count
for R@1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from centerclip.metrics.resampling import bootstrap_weights, exchange_weights, statistics

LABELS = {
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "recall_at_50": "R@50",
    "median_rank": "MdR",
    "mean_rank": "MnR",
    "recall_sum": "R-Sum",
    "mean_reciprocal_rank": "MRR",
}
"""Name of each statistic in tables."""
_Statistics = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference(Estimate):
    """Difference of a statistic, second system minus first, with its 95 % interval and two-sided p-value."""

    p_value: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics of one direction; recalls in percent, `recall_sum` = R@1 + R@5 + R@10."""

    count: int
    """Number of queries."""
    recall_at_1: Estimate
    recall_at_5: Estimate
    recall_at_10: Estimate
    recall_at_50: Estimate
    median_rank: Estimate
    mean_rank: Estimate
    recall_sum: Estimate

    def labeled(self) -> dict[str, Estimate]:
        """Return the estimates by their names in tables: R@1, ..., MdR, MnR, R-Sum."""
        return {LABELS[f.name]: getattr(self, f.name) for f in fields(self) if f.name in LABELS}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences of two systems on the same queries, second minus first, in the units of `Summary`."""

    count: int
    recall_at_1: Difference
    recall_at_5: Difference
    recall_at_10: Difference
    recall_at_50: Difference
    median_rank: Difference
    mean_rank: Difference
    recall_sum: Difference
    mean_reciprocal_rank: Difference

    def labeled(self) -> dict[str, Difference]:
        """Return the differences by their names in tables: R@1, ..., R-Sum, MRR."""
        return {LABELS[f.name]: getattr(self, f.name) for f in fields(self) if f.name in LABELS}


def summarize(
    ranks: ArrayLike, *, groups: ArrayLike | None = None, seed: int = 0, resamples: int = 1000
) -> Summary:
    """Summarize ranks, with 95 % percentile bootstrap intervals over queries for a fixed gallery.

    Captions of one video are correlated. With `groups`, whole groups are drawn (cluster bootstrap), so the
    intervals are wider, as they should be.

    Args:
        ranks: [Q] expected ranks, at least 1.
        groups: [Q] the group of each query, such as its video; None if queries are independent.
        seed: seed of the resampling.
        resamples: bootstrap samples, at least 1.

    Raises:
        ValueError: no ranks, ranks below 1 or not finite, or groups of another length.
    """
    values, group, count = _checked(ranks, groups, resamples)
    whole = statistics(values, group, np.ones((1, count), dtype=np.int64))
    draws = [
        statistics(values, group, weights)
        for weights in bootstrap_weights(count, queries=len(values), seed=seed, resamples=resamples)
    ]
    estimates = {
        field.name: Estimate(float(whole[field.name][0]), *_interval(draws, field.name))
        for field in fields(Summary)
        if field.name in LABELS
    }
    return Summary(count=len(values), **estimates)


def mean(
    values: ArrayLike, *, groups: ArrayLike | None = None, seed: int = 0, resamples: int = 1000
) -> Estimate:
    """Average one figure per query, with a 95 % percentile bootstrap interval as in `summarize`.

    Args:
        values: [Q] finite; the difference of two systems' figures gives a paired interval.
        groups, seed, resamples: as in `summarize`.

    Raises:
        ValueError: no values, values that aren't finite, or groups of another length.
    """
    figures = np.asarray(values, dtype=np.float64)
    if figures.ndim != 1 or not figures.size or not np.isfinite(figures).all():
        raise ValueError(f"values {list(figures.shape)} must be a list of at least one finite number")
    group, count = _grouped(figures, groups)
    sums = np.bincount(group, weights=figures, minlength=count)
    sizes = np.bincount(group, minlength=count)
    draws = [
        weights @ sums / (weights @ sizes)
        for weights in bootstrap_weights(count, queries=count, seed=seed, resamples=resamples)
    ]
    low, high = np.percentile(np.concatenate(draws), [2.5, 97.5])
    return Estimate(float(figures.mean()), float(low), float(high))


def compare(
    ranks_a: ArrayLike,
    ranks_b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    seed: int = 0,
    resamples: int = 2000,
) -> Comparison:
    """Compare the ranks of two systems on the same queries.

    The interval is a paired bootstrap: queries (or groups) are drawn, and both systems' ranks are used for
    them. The p-value is from the two-sided permutation test that exchanges the systems' ranks of random
    queries (or groups).

    Args:
        ranks_a: [Q] expected ranks of the first system.
        ranks_b: [Q] ranks of the second, for the same queries in the same order.
        groups: [Q] the group of each query; None if queries are independent.
        seed: seed of the resampling.
        resamples: number of bootstrap samples and of permutations; p is at least 1 / (resamples + 1).

    Returns:
        Differences b minus a: above zero is better for recalls and MRR, below zero for ranks.

    Raises:
        ValueError: as `summarize`, or ranks of different lengths.
    """
    a, group, count = _checked(ranks_a, groups, resamples)
    b = _checked(ranks_b, groups, resamples)[0]
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} ranks; a paired comparison needs the same queries twice")

    def subtract(first: _Statistics, second: _Statistics) -> _Statistics:
        return {name: second[name] - first[name] for name in LABELS}

    def drawn(weights: NDArray[np.int64]) -> _Statistics:
        return subtract(statistics(a, group, weights), statistics(b, group, weights))

    # A permutation [R, C] counts each group of one system, 0..C-1, or of the other, C..2C-1.
    both, pairs = np.concatenate([a, b]), np.concatenate([group, group + count])  # [2Q]
    size = {"queries": 2 * len(a), "seed": seed, "resamples": resamples}
    found = drawn(np.ones((1, count), dtype=np.int64))
    draws = [drawn(weights) for weights in bootstrap_weights(count, **size)]
    exchanges = [
        subtract(
            statistics(both, pairs, np.hstack([1 - swap, swap])),
            statistics(both, pairs, np.hstack([swap, 1 - swap])),
        )
        for swap in exchange_weights(count, **size)
    ]
    return Comparison(
        count=len(a),
        **{
            name: Difference(float(found[name][0]), *_interval(draws, name), _p_value(found, exchanges, name))
            for name in LABELS
        },
    )


def _checked(
    ranks: ArrayLike, groups: ArrayLike | None, resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Return checked ranks [Q], the index of each group [Q], and the number of groups."""
    values = np.asarray(ranks, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all() or values.min() < 1:
        raise ValueError(f"ranks {list(values.shape)} must be a list of at least one finite number >= 1")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; it must be at least 1")
    return values, *_grouped(values, groups)


def _grouped(values: NDArray[np.float64], groups: ArrayLike | None) -> tuple[NDArray[np.int64], int]:
    """Return the index of each query's group [Q], and the number of groups."""
    if groups is None:
        return np.arange(len(values)), len(values)
    names = np.asarray(groups)
    if names.shape != values.shape:
        raise ValueError(
            f"groups {list(names.shape)} must have the shape of the values, {list(values.shape)}"
        )
    distinct, group = np.unique(names, return_inverse=True)
    return group.astype(np.int64), len(distinct)


def _interval(draws: list[_Statistics], name: str) -> tuple[float, float]:
    low, high = np.percentile(np.concatenate([draw[name] for draw in draws]), [2.5, 97.5])
    return float(low), float(high)


def _p_value(found: _Statistics, exchanged: list[_Statistics], name: str) -> float:
    """Return the fraction of exchanges that differ at least as much, counting the original one too."""
    differences = np.concatenate([exchange[name] for exchange in exchanged])
    # Sums in another order may differ in their last digits.
    extreme = np.abs(differences) >= np.abs(found[name]) - 1e-9
    return (int(extreme.sum()) + 1) / (len(differences) + 1)
