"""Metrics against slow, obvious implementations and SciPy."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from centerclip.metrics import compare, ranks, summarize, video_to_text_ranks
from centerclip.metrics.resampling import statistics


def rank_by_all_orders(scores: np.ndarray, true: np.ndarray) -> float:
    """Mean place of the best true item over all orders of ties; NaN true items are last."""
    if np.isnan(scores[true]).all():
        return len(scores)
    found = []
    for order in permutations(range(len(scores))):
        by_score = sorted(order, key=lambda i: np.inf if np.isnan(scores[i]) else -scores[i])
        found.append(1 + next(place for place, item in enumerate(by_score) if true[item]))
    return float(np.mean(found))


def test_ties_and_nan_against_every_order() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        size = int(rng.integers(1, 7))
        scores = rng.integers(0, 3, size=size).astype(float)
        scores[rng.random(size) < 0.2] = np.nan
        true = rng.random(size) < 0.4
        true[rng.integers(size)] = True
        expected = rank_by_all_orders(scores, true)
        assert ranks(scores[None], true[None])[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("levels", [5, 1_000_000])
def test_one_true_item_against_rankdata(levels: int) -> None:
    rng = np.random.default_rng(levels)
    similarity = rng.integers(0, levels, size=(80, 50)).astype(np.float32)
    relevant = rng.integers(0, 50, size=80)
    expected = stats.rankdata(-similarity, method="average", axis=1)[np.arange(80), relevant]
    assert np.array_equal(ranks(similarity, relevant), expected)


def test_video_to_text_against_loops() -> None:
    rng = np.random.default_rng(3)
    similarity = rng.normal(size=(37, 6))
    owner = np.concatenate([np.arange(6), rng.integers(0, 6, size=31)])
    for video in range(6):
        column = similarity[:, video]
        best = column[owner == video].max()
        by_caption = 1 + sum(score > best for score in column)
        by_group = 1 + sum(column[owner == other].max() > best for other in range(6))
        assert video_to_text_ranks(similarity, owner)[video] == by_caption
        assert video_to_text_ranks(similarity, owner, protocol="group")[video] == by_group


def test_weighted_statistics_against_repeated_queries() -> None:
    rng = np.random.default_rng(4)
    values = rng.integers(1, 15, size=40) / 2 + 0.5
    group = rng.integers(0, 9, size=40)
    group[:9] = np.arange(9)
    weights = rng.integers(0, 4, size=(25, 9))
    found = statistics(values, group, weights)
    for row, weight in enumerate(weights):
        drawn = np.repeat(values, weight[group])
        assert found["median_rank"][row] == np.median(drawn)
        assert found["mean_rank"][row] == pytest.approx(drawn.mean())
        assert found["mean_reciprocal_rank"][row] == pytest.approx((1 / drawn).mean())
        for k in (1, 5, 10, 50):
            assert found[f"recall_at_{k}"][row] == pytest.approx(100 * (drawn <= k).mean())


@pytest.mark.parametrize(("name", "statistic"), [("mean_rank", np.mean), ("median_rank", np.median)])
def test_intervals_against_scipy(name: str, statistic: object) -> None:
    values = np.random.default_rng(5).geometric(0.05, size=200).astype(float)
    other = stats.bootstrap(
        (values,), statistic, n_resamples=4000, method="percentile", rng=np.random.default_rng(6)
    ).confidence_interval
    estimate = getattr(summarize(values, resamples=4000), name)
    # Monte Carlo error of a 2.5 % quantile from 4,000 draws is about 3 % of the interval's width.
    slack = 0.12 * (other.high - other.low)
    assert estimate.low == pytest.approx(other.low, abs=slack)
    assert estimate.high == pytest.approx(other.high, abs=slack)


@pytest.mark.parametrize(
    ("name", "statistic"),
    [
        ("mean_rank", np.mean),
        ("median_rank", np.median),
        ("mean_reciprocal_rank", lambda x, axis: np.mean(1 / x, axis=axis)),
        ("recall_at_5", lambda x, axis: np.mean(x <= 5, axis=axis)),
    ],
)
def test_p_values_against_the_exact_permutation_test(name: str, statistic: object) -> None:
    rng = np.random.default_rng(7)
    a = rng.integers(1, 12, size=11).astype(float)
    b = np.maximum(1, a - rng.integers(-2, 5, size=11))
    exact = stats.permutation_test(
        (a, b),
        lambda x, y, axis: statistic(y, axis=axis) - statistic(x, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        alternative="two-sided",
    ).pvalue
    # SciPy doubles the smaller tail; the systems are exchangeable, so both tails are equal.
    assert getattr(compare(a, b, resamples=8000), name).p_value == pytest.approx(exact, abs=0.025)
