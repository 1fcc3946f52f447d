"""Estimates over seeds and videos: known cases, an independent oracle, repeated experiments."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from centerclip.lab.study.statistics import detectable, effect, equivalence_power, holm

SEEDS, VIDEOS = 5, 40


def experiment(rng: np.random.Generator, *, mean: float, seed: float, video: float) -> NDArray[np.float64]:
    """A table of differences with the given mean and standard deviations, and 5 for the rest."""
    rows, columns = seed * rng.standard_normal((SEEDS, 1)), video * rng.standard_normal(VIDEOS)
    table: NDArray[np.float64] = mean + rows + columns + 5 * rng.standard_normal((SEEDS, VIDEOS))
    return table


def test_one_seed_or_equal_seeds_leave_the_t_test_of_videos() -> None:
    videos = np.random.default_rng(0).standard_normal(30)
    reference = stats.ttest_1samp(videos, 0.0)
    for table in (videos[None], np.tile(videos, (4, 1))):
        found = effect(table)
        interval = reference.confidence_interval()
        np.testing.assert_allclose((found.low, found.high), (interval.low, interval.high))
        assert found.p_value == pytest.approx(reference.pvalue)
        assert found.freedom == 29


def test_seeds_that_differ_alike_in_all_videos_leave_the_t_test_of_seeds() -> None:
    seeds = np.array([0.4, 1.1, 0.9, -0.3, 0.8])
    found = effect(np.tile(seeds[:, None], (1, 30)))
    assert found.p_value == pytest.approx(stats.ttest_1samp(seeds, 0.0).pvalue)
    one_sided = [
        stats.ttest_1samp(seeds, bound, alternative=side).pvalue
        for bound, side in ((-1.5, "greater"), (1.5, "less"))
    ]
    assert found.equivalence(1.5) == pytest.approx(max(one_sided))


def test_equal_figures_have_no_error() -> None:
    same = effect(np.zeros((3, 4)))
    assert (same.p_value, same.equivalence(1.0), same.low, same.high) == (1.0, 0.0, 0.0, 0.0)
    other = effect(np.full((3, 4), 2.0))
    assert (other.p_value, other.equivalence(1.0)) == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"\[3, 1\] must be finite figures of seeds and at least two videos"):
        effect(np.zeros((3, 1)))


@pytest.mark.parametrize(("seed", "video"), [(0.0, 0.0), (1.0, 0.0), (0.0, 4.0), (1.0, 4.0), (3.0, 4.0)])
def test_intervals_cover_the_truth(seed: float, video: float) -> None:
    rng = np.random.default_rng(0)
    found = [effect(experiment(rng, mean=0.7, seed=seed, video=video)) for _ in range(500)]
    coverage = np.mean([each.low <= 0.7 <= each.high for each in found])
    assert 0.93 <= coverage <= 1.0  # 0.95 less two standard errors; without variance of seeds it is cautious


def test_intervals_of_videos_or_seeds_alone_would_not() -> None:
    rng = np.random.default_rng(0)
    for axis, seed, video in ((0, 3.0, 4.0), (1, 1.0, 8.0)):
        tables = [experiment(rng, mean=0.7, seed=seed, video=video) for _ in range(200)]
        intervals = [stats.ttest_1samp(table.mean(axis), 0.0).confidence_interval() for table in tables]
        assert np.mean([each.low <= 0.7 <= each.high for each in intervals]) < 0.9


def test_errors_of_both_tests_stay_below_the_level() -> None:
    rng, margin = np.random.default_rng(1), 2.0
    none = [effect(experiment(rng, mean=0.0, seed=1.0, video=4.0)) for _ in range(1000)]
    assert 0.02 <= np.mean([each.p_value < 0.05 for each in none]) <= 0.065
    border = [effect(experiment(rng, mean=margin, seed=0.5, video=2.0)) for _ in range(1000)]
    assert 0.02 <= np.mean([each.equivalence(margin) < 0.05 for each in border]) <= 0.065


def test_power_is_as_stated() -> None:
    rng = np.random.default_rng(2)
    error = float(np.sqrt(1.0 / SEEDS + 25 / (SEEDS * VIDEOS)))  # of the mean, without variance of videos
    smallest = detectable(error, SEEDS - 1)
    found = [effect(experiment(rng, mean=smallest, seed=1.0, video=0.0)) for _ in range(600)]
    assert np.mean([each.p_value < 0.05 for each in found]) == pytest.approx(0.8, abs=0.06)
    margin = 4 * error
    equal = [effect(experiment(rng, mean=0.0, seed=1.0, video=0.0)) for _ in range(600)]
    stated = equivalence_power(error, SEEDS - 1, margin)
    assert np.mean([each.equivalence(margin) < 0.05 for each in equal]) == pytest.approx(stated, abs=0.08)
    assert equivalence_power(error, SEEDS - 1, error) == 0.0
    assert detectable(error, SEEDS - 1, tests=10) > smallest


def test_holm_corrects_for_the_number_of_tests() -> None:
    p_values = [0.01, 0.6, 0.004, 0.03, 0.004, 1.0]
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])
    assert holm([]) == []
