"""Statistics of ranks under resampling, where each group of queries has an integer weight.

A bootstrap sample counts a group 0, 1, 2, ... times. A permutation counts the ranks of either one system or
the other. Both are rows of weights, so the same code computes all statistics.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["bootstrap_weights", "exchange_weights", "slices", "statistics"]

_CELLS = 2**22
"""Maximum numbers per array (32 MB in float64), so that memory doesn't grow with the data set."""


def slices(rows: int, columns: int) -> Iterator[slice]:
    """Split `rows` rows of `columns` numbers into slices of bounded size."""
    step = max(1, _CELLS // columns)
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def statistics(
    ranks: NDArray[np.float64], group: NDArray[np.int64], weights: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Compute every statistic for each row of weights.

    Args:
        ranks: [Q] expected ranks.
        group: [Q] the group of each query, 0..C-1.
        weights: [R, C] how often each group counts; each row must count at least one query.

    Returns:
        Arrays [R] float64 by name: recalls in percent, ranks, the mean reciprocal rank.
    """
    size = weights.shape[1]
    total = weights @ np.bincount(group, minlength=size)  # [R]

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(weights @ np.bincount(group, weights=values, minlength=size) / total)

    result = {f"recall_at_{k}": mean(np.where(ranks <= k, 100.0, 0.0)) for k in (1, 5, 10, 50)}
    result["recall_sum"] = result["recall_at_1"] + result["recall_at_5"] + result["recall_at_10"]
    result["mean_rank"] = mean(ranks)
    result["mean_reciprocal_rank"] = mean(1 / ranks)
    order = np.argsort(ranks)
    counted = np.cumsum(weights[:, group[order]], axis=1)  # [R, Q]
    # The two middle places, equal for an odd total: the first query where the count exceeds each.
    middle = [(counted <= place[:, None]).sum(axis=1) for place in ((total - 1) // 2, total // 2)]
    result["median_rank"] = (ranks[order][middle[0]] + ranks[order][middle[1]]) / 2
    return result


def bootstrap_weights(groups: int, *, queries: int, seed: int, resamples: int) -> Iterator[NDArray[np.int64]]:
    """Yield weights [n, groups], `resamples` rows in total; each row is `groups` draws with replacement."""
    rng = np.random.default_rng(seed)
    for rows in slices(resamples, queries):
        count = rows.stop - rows.start
        drawn = rng.integers(groups, size=(count, groups)) + groups * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * groups).reshape(count, groups)


def exchange_weights(groups: int, *, queries: int, seed: int, resamples: int) -> Iterator[NDArray[np.int64]]:
    """Yield [n, groups] of 0 and 1, `resamples` rows in total; 1 means that the systems are exchanged."""
    # A separate stream, independent of the bootstrap's draws.
    rng = np.random.default_rng([seed, 1])
    for rows in slices(resamples, queries):
        yield rng.integers(2, size=(rows.stop - rows.start, groups))
