"""How a video is cut into windows."""

import math

import pytest

from centerclip.records import Window
from centerclip.video import cut_windows


def test_a_short_video_is_one_window() -> None:
    assert cut_windows(12.0, 12.0, cuts=[6.0]) == [Window(0.0, 12.0)]
    assert cut_windows(0.04) == [Window(0.0, 0.04)]
    assert cut_windows(1e6, math.inf) == [Window(0.0, 1e6)]


def test_a_longer_one_is_cut_into_the_fewest_equal_windows() -> None:
    assert cut_windows(30.0, 12.0) == [Window(0.0, 10.0), Window(10.0, 20.0), Window(20.0, 30.0)]
    assert len(cut_windows(24.0, 12.0)) == 2
    assert len(cut_windows(24.01, 12.0)) == 3


def test_borders_move_to_the_nearest_cut_within_a_quarter() -> None:
    # Equal windows are 10 s long: a border moves by up to 2.5 s, and to the nearer of two cuts.
    assert cut_windows(30.0, 12.0, cuts=[22.4, 11.9, 8.5, 17.4]) == [
        Window(0.0, 8.5),
        Window(8.5, 22.4),
        Window(22.4, 30.0),
    ]
    assert cut_windows(30.0, 12.0, cuts=[7.4, 12.6, 25.0]) == cut_windows(30.0, 12.0)


def test_a_border_stays_where_its_window_would_become_too_long() -> None:
    # From 9 to 15 s and from 21 to 27 s it may move; from 9 to 27 s would be 18 s, and 15 s is the limit.
    assert cut_windows(36.0, 12.0, cuts=[9.0, 27.0]) == [
        Window(0.0, 9.0),
        Window(9.0, 24.0),
        Window(24.0, 36.0),
    ]


@pytest.mark.parametrize("duration", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_duration_is_refused(duration: float) -> None:
    with pytest.raises(ValueError, match="duration_seconds"):
        cut_windows(duration)


@pytest.mark.parametrize("longest", [0.0, -1.0, math.nan])
def test_an_impossible_maximum_is_refused(longest: float) -> None:
    with pytest.raises(ValueError, match="max_seconds"):
        cut_windows(10.0, longest)
