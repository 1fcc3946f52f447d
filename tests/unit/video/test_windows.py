"""How a video is cut into windows, and which of their instants are looked at; see also `tests/property`."""

import math
from typing import Any

import numpy as np
import pytest

from centerclip.records import Window
from centerclip.video import cut_windows, instants


@pytest.mark.parametrize(
    ("duration", "longest", "cuts", "borders"),
    [
        (12.0, 12.0, [6.0], [0, 12]),
        (1e6, math.inf, [], [0, 1e6]),
        (30.0, 12.0, [], [0, 10, 20, 30]),  # the fewest equal windows
        (24.0, 12.0, [], [0, 12, 24]),
        # Equal windows are 10 s long: a border moves by up to 2.5 s, and to the nearer of two cuts.
        (30.0, 12.0, [22.4, 11.9, 8.5, 17.4], [0, 8.5, 22.4, 30]),
        (30.0, 12.0, [7.4, 12.6, 25.0], [0, 10, 20, 30]),
        # From 9 to 15 s and from 21 to 27 s it may move; from 9 to 27 s would be 18 s, and 15 s is the limit.
        (36.0, 12.0, [9.0, 27.0], [0, 9, 24, 36]),
    ],
)
def test_borders(duration: float, longest: float, cuts: list[float], borders: list[float]) -> None:
    windows = cut_windows(duration, longest, cuts=cuts)
    assert [window.start_seconds for window in windows] == borders[:-1]
    assert [window.end_seconds for window in windows] == borders[1:]


def test_there_are_never_more_windows_than_frames() -> None:
    week = 7 * 86_400.0
    windows = cut_windows(week, 12.0, frames=75)
    assert len(windows) == 75
    assert [round(w.end_seconds - w.start_seconds) for w in windows] == [round(week / 75)] * 75
    assert cut_windows(week, frames=1) == [Window(0.0, week)]
    assert cut_windows(30.0, frames=900) == cut_windows(30.0)
    assert len(cut_windows(1000.0, frames=4, cuts=[240.0, 510.0])) == 4
    with pytest.raises(ValueError, match="frames is 0"):
        cut_windows(30.0, frames=0)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        *((cut_windows, (duration,), "duration_seconds") for duration in (0.0, -1.0, math.nan, math.inf)),
        *((cut_windows, (10.0, longest), "max_seconds") for longest in (0.0, -1.0, math.nan)),
        *((instants, (Window(*ends), 4), "is empty") for ends in ((2, 2), (3, 2), (0, math.nan))),
        (instants, (Window(0, 1), 0), "frames is 0"),
    ],
)
def test_impossible_arguments_are_refused(function: Any, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)


def test_without_a_generator_the_instants_are_the_middles_of_equal_strides() -> None:
    np.testing.assert_allclose(instants(Window(10.0, 22.0), 4), [11.5, 14.5, 17.5, 20.5])


def test_with_a_generator_there_is_one_instant_in_each_stride() -> None:
    drawn = np.stack([instants(Window(3.0, 9.0), 6, rng=np.random.default_rng(seed)) for seed in range(200)])
    strides = 3.0 + np.arange(6)
    assert (drawn >= strides).all()
    assert (drawn < strides + 1).all()
    # Uniform in each stride: with 200 draws the mean is 0.02 from the middle (one sigma).
    np.testing.assert_allclose(drawn.mean(0), strides + 0.5, atol=0.1)
    assert len(np.unique(drawn)) == drawn.size
