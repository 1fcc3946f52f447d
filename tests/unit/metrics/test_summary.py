"""Summaries and comparisons of ranks with known results."""

import numpy as np
import pytest

from centerclip.metrics import Estimate, compare, mean, summarize
from centerclip.metrics.resampling import bootstrap_weights, exchange_weights

RANKS = [1, 1, 2, 4, 5, 6, 10, 11, 50, 51]


def values(ranks: object, **options: object) -> dict[str, float]:
    return {name: estimate.value for name, estimate in summarize(ranks, **options).labeled().items()}


def test_figures_by_hand() -> None:
    assert values(RANKS) == {
        "R@1": 20, "R@5": 50, "R@10": 70, "R@50": 90, "MdR": 5.5, "MnR": 14.1, "R-Sum": 140,
    }  # fmt: skip
    assert values(RANKS[::-1]) == values(RANKS, groups=[3, 3, 1, 1, 1, 0, 9, 9, 9, 9]) == values(RANKS)
    assert summarize(RANKS, groups=list("abcdefghij")) == summarize(RANKS)
    assert summarize(RANKS).count == 10
    assert (values([1.5, 1.0])["R@1"], values([5.0, 5.5])["R@5"]) == (50, 50)
    estimate = summarize([3]).median_rank
    assert (estimate.value, estimate.low, estimate.high) == (3, 3, 3)


def test_intervals_contain_the_value_and_depend_on_the_seed() -> None:
    ranks = np.random.default_rng(0).geometric(0.2, size=300)
    first = summarize(ranks, seed=4)
    assert first == summarize(ranks, seed=4)
    assert first != summarize(ranks, seed=5)
    for estimate in first.labeled().values():
        assert estimate.low <= estimate.value <= estimate.high


def test_captions_of_one_video_are_not_independent() -> None:
    ranks = np.repeat(np.where(np.arange(50) < 25, 1, 9), 20)  # a video's 20 captions agree
    alone = summarize(ranks).recall_at_1
    grouped = summarize(ranks, groups=np.repeat(np.arange(50), 20)).recall_at_1
    assert grouped.value == alone.value == 50
    ratio = (grouped.high - grouped.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(20), rel=0.2)


def test_a_mean_has_the_interval_of_a_recall() -> None:
    ranks = np.repeat(np.where(np.arange(50) < 25, 1, 9), 20)
    videos = np.repeat(np.arange(50), 20)
    found = mean(np.where(ranks <= 1, 100, 0), groups=videos)
    assert found == summarize(ranks, groups=videos).recall_at_1
    assert mean([3, 5], groups=["a", "a"]) == mean([4]) == Estimate(4, 4, 4)
    uneven = mean([1, 1, 1, 5], groups=[0, 0, 0, 1])  # groups count by their queries
    assert (uneven.value, uneven.low, uneven.high) == (2, 1, 5)
    for bad in ([], [np.nan], [[1.0]]):
        with pytest.raises(ValueError, match="at least one finite number"):
            mean(bad)
    with pytest.raises(ValueError, match=r"groups \[1\]"):
        mean([1, 2], groups=[1])


def test_slices_add_up_to_the_number_of_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("centerclip.metrics.resampling._CELLS", 37)
    assert values(RANKS)["MdR"] == 5.5
    for weights in (bootstrap_weights, exchange_weights):
        rows = np.concatenate(list(weights(4, queries=10, seed=0, resamples=8)))
        assert rows.shape == (8, 4)
        if weights is bootstrap_weights:
            assert (rows.sum(axis=1) == 4).all()


@pytest.mark.parametrize("bad", [[], [0.5], [np.nan], [np.inf], [[1.0]]])
def test_wrong_ranks_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="finite number >= 1"):
        summarize(bad)


def test_other_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"groups \[2\]"):
        summarize(RANKS, groups=[1, 2])
    with pytest.raises(ValueError, match="resamples is 0"):
        summarize(RANKS, resamples=0)
    with pytest.raises(ValueError, match="same queries twice"):
        compare(RANKS, RANKS[:-1])


def test_equal_systems_do_not_differ() -> None:
    for difference in compare(RANKS, RANKS).labeled().values():
        assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_a_better_system_has_positive_differences() -> None:
    rng = np.random.default_rng(0)
    worse = rng.geometric(0.1, size=400)
    better = np.maximum(1, worse - rng.integers(0, 4, size=400))
    found = compare(worse, better)
    assert found.count == 400
    assert found.recall_at_10.value > 0
    assert found.recall_at_10.low > 0
    assert found.mean_rank.high < 0
    assert found.mean_reciprocal_rank.value == pytest.approx((1 / better).mean() - (1 / worse).mean())
    assert found.mean_rank.p_value == pytest.approx(1 / 2001)


def test_exchanging_the_systems_changes_the_sign() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(1, 20, size=(2, 60))
    there, back = compare(a, b), compare(b, a)
    for name, difference in there.labeled().items():
        mirrored = back.labeled()[name]
        assert difference.value == pytest.approx(-mirrored.value)
        assert difference.low == pytest.approx(-mirrored.high)
        assert difference.p_value == pytest.approx(mirrored.p_value)


def test_pairing_finds_differences_that_separate_intervals_hide() -> None:
    base = np.random.default_rng(2).geometric(0.01, size=200)
    shifted = base + 2
    assert summarize(base).mean_rank.high > summarize(shifted).mean_rank.low  # they overlap
    assert compare(base, shifted).mean_rank.p_value < 0.001
    assert compare(base, shifted).mean_rank.low == 2


def test_groups_are_exchanged_whole() -> None:
    # Six videos with ten captions, every caption one rank better: 60 captions, but only 6 coin flips.
    # 2 of the 64 outcomes are as extreme.
    a = np.full(60, 3)
    found = compare(a, a - 1, groups=np.repeat(np.arange(6), 10), resamples=4000)
    assert found.mean_rank.p_value == pytest.approx(2 / 64, rel=0.35)
    assert compare(a, a - 1, resamples=4000).mean_rank.p_value < 0.001
