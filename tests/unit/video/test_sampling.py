"""Which frame represents a stride, from handwritten packets; a tick is a tenth of a second."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from centerclip.records import Sampling
from centerclip.video.packet_index import PacketIndex
from centerclip.video.sampling import BUDGET_PIXELS, choose_instants
from centerclip.video.timeline import Timeline


def chosen(
    pts: list[int], keys: list[int], edges: list[float], sampling: Sampling = "cheapest", *, pixels: int = 1
) -> list[float]:
    """Choose instants for packets in the order of the file; the first frame shown is decoded first."""
    places = np.array(keys, np.int64)
    index = PacketIndex(
        pts=np.array(pts, np.int64),
        shown=np.ones(len(pts), np.bool_),
        keys=places,
        key_dts=np.array(pts, np.int64)[places],
        last_duration=1,
        constant=True,
    )
    timeline = Timeline.of(index, tick=Fraction(1, 10), rate=10.0, first_pts=min(pts))
    seconds = choose_instants(
        timeline, index, np.array(edges), sampling, pixels=pixels, cuts=timeline.scene_cuts(index.keys)
    )
    return np.round(seconds, 6).tolist()


def test_a_key_frame_comes_first_and_among_several_the_one_nearest_to_the_center() -> None:
    assert chosen(list(range(40)), [0, 13, 17, 24, 29], [0.0, 1.0, 2.0, 3.0]) == [0.0, 1.3, 2.4]


def test_without_a_key_frame_it_is_the_one_that_is_stored_soonest_after_one() -> None:
    assert chosen(list(range(40)), [0], [0.0, 1.0, 2.0, 3.0, 4.0]) == [0.0, 1.0, 2.0, 3.0]
    # 0 3 1 2 6 4 5 ...: frame 12 is stored before 10 and 11, which refer to it.
    stored = [0, *(frame for group in range(3, 30, 3) for frame in (group, group - 2, group - 1))]
    assert chosen(stored, [0], [0.0, 1.0, 2.0, 2.7]) == [0.0, 1.2, 2.1]


def test_a_frame_that_leads_an_open_group_needs_the_group_before_it() -> None:
    # The key frame 20 is stored before 18 and 19, which refer to frames before it.
    stored = [*range(18), 20, 18, 19, *range(21, 40)]
    assert chosen(stored, [0, 18], [0.0, 1.8, 2.1, 3.0]) == [0.0, 2.0, 2.1]
    assert chosen(stored, [0, 18], [1.2, 2.0, 3.0]) == [1.2, 2.0]
    assert chosen(stored, [0, 18], [1.8, 2.0]) == [1.8]


def test_a_border_belongs_to_the_stride_after_it_even_if_sums_of_floats_miss_it() -> None:
    assert chosen(list(range(40)), [0, 10, 20, 30], [0.0, 1.0 + 1e-9, 2.0 - 1e-9, 3.0]) == [0.0, 1.0, 2.0]


def test_a_stride_in_which_no_frame_begins_shows_the_one_at_its_center() -> None:
    assert chosen([0, 20], [0], [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]) == [0.0, 0.75, 1.25, 1.75, 2.0]
    assert chosen([0], [0], [0.0, 0.05, 0.1]) == [0.0, 0.075]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([0, 20, 40], [0.0, 2.0, 2.0, 4.0, 4.0]),
        ([0, 22], [0.0, 2.2, 2.2, 2.2, 4.0]),  # 2.2 is nearer to 1.5 than 0.0 is; none is near 4.5
        ([0, 30, 60], [0.0, 0.0, 3.0, 3.0, 3.0]),
    ],
)
def test_a_key_frame_is_borrowed_from_the_stride_next_to_it(keys: list[int], expected: list[float]) -> None:
    edges = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert chosen(list(range(70)), keys, edges, "keys") == expected


def test_a_key_frame_is_not_borrowed_from_another_window_or_scene() -> None:
    keys = [0, 10, 20, 30, 40, 50, 60]
    assert chosen(list(range(70)), keys, [0.5, 0.8, 1.0], "keys") == [0.5, 0.8]
    assert chosen(list(range(70)), keys, [1.1, 1.5], "keys") == [1.1]
    # The key frame 17 comes early, because a scene begins there.
    cut = [0, 10, 17, 27, 37, 47, 57]
    assert chosen(list(range(70)), cut, [1.0, 1.2, 1.4, 1.6, 1.8], "keys") == [1.0, 1.0, 1.4, 1.7]
    assert chosen(list(range(70)), cut, [1.6, 1.8, 2.0], "keys") == [1.7, 1.7]


def test_a_key_frame_is_borrowed_where_that_saves_more_than_the_budget() -> None:
    """Strides are of ten frames each."""
    edges = [0.0, 1.0, 2.0, 3.0, 4.0]
    small, large = BUDGET_PIXELS // 10, BUDGET_PIXELS // 10 + 1
    frames = list(range(60))
    assert chosen(frames, [0, 20, 40], edges, "budget", pixels=small) == [0.0, 1.0, 2.0, 3.0]
    assert chosen(frames, [0, 20, 40], edges, "budget", pixels=large) == [0.0, 2.0, 2.0, 2.0]
    # Of two strides without a key frame, each takes the one next to it.
    assert chosen(frames, [0, 30], edges, "budget", pixels=large) == [0.0, 0.0, 3.0, 3.0]
    assert chosen(frames, [0, 30], edges, "budget", pixels=small) == [0.0, 1.0, 2.0, 3.0]
    # 2.0 costs little, and 3.0 has no key frame beside it.
    assert chosen(frames, [0, 17, 40], edges, "budget", pixels=large) == [0.0, 1.7, 2.0, 3.0]


def test_nothing_is_borrowed_where_a_later_stride_needs_the_frames_anyway() -> None:
    edges = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    frames = list(range(60))
    # 1.0 is needed for 2.0, which has no key frame beside it; 3.0 isn't needed for anything else.
    assert chosen(frames, [0, 40], edges, "budget", pixels=BUDGET_PIXELS) == [0.0, 1.0, 2.0, 4.0, 4.0]
    assert chosen(frames, [0, 40], edges, "keys") == [0.0, 0.0, 2.0, 4.0, 4.0]
    # Without a second key frame, the last stride decides.
    assert chosen(frames, [0], edges, "budget", pixels=BUDGET_PIXELS) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert chosen(frames, [0], edges[:3], "budget", pixels=BUDGET_PIXELS) == [0.0, 0.0]


def test_a_stride_without_frames_shows_what_it_shows_within_the_budget() -> None:
    edges = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert chosen([0, 20], [0, 1], edges, "budget", pixels=BUDGET_PIXELS) == [0.0, 0.75, 1.25, 1.75, 2.0]
