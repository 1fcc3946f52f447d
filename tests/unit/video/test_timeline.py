"""Frame times, durations and scene cuts from handwritten packets; a tick is a tenth of a second."""

from fractions import Fraction

import numpy as np
import pytest

from centerclip.video.packet_index import NO_PTS, PacketIndex
from centerclip.video.timeline import Timeline

TENTH = Fraction(1, 10)


def index_of(
    pts: list[int], keys: list[int] | None = None, hidden: list[int] | None = None, last: int = 1
) -> PacketIndex:
    places = np.array(keys or [0], np.int64)
    return PacketIndex(
        pts=np.array(pts, np.int64),
        shown=~np.isin(np.arange(len(pts)), hidden or []),
        keys=places,
        key_dts=np.array(pts, np.int64)[places],
        last_duration=last,
        constant=True,
    )


def timeline_of(index: PacketIndex, first_pts: int | None = 0, rate: float = 4.0) -> Timeline:
    return Timeline.of(index, tick=TENTH, rate=rate, first_pts=first_pts)


def test_frames_are_in_display_order_and_times_count_from_the_first() -> None:
    timeline = timeline_of(index_of([50, 53, 51, 52]), first_pts=50)
    np.testing.assert_allclose(timeline.seconds, [0, 0.1, 0.2, 0.3])
    assert timeline.packets.tolist() == [0, 2, 3, 1]
    assert timeline.duration_seconds == pytest.approx(0.4)
    assert timeline.rate == pytest.approx(10)
    assert timeline.exact


def test_hidden_frames_and_those_before_the_first_are_dropped() -> None:
    timeline = timeline_of(index_of([0, 1, 2, 3, 4], hidden=[4]), first_pts=2)
    assert timeline.packets.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("last", "duration"),
    [(7, 1.7), (0, 1.5), (-3, 1.5), (10**9, 1.5)],
    ids=["known", "unknown", "negative", "absurd"],
)
def test_the_last_frame_has_its_own_duration_or_that_of_the_others(last: int, duration: float) -> None:
    assert timeline_of(index_of([0, 5, 10], last=last)).duration_seconds == pytest.approx(duration)
    assert timeline_of(index_of([0], last=0)).duration_seconds == pytest.approx(0.25)  # from the rate


@pytest.mark.parametrize(
    "pts",
    [
        [0, NO_PTS, 2, 3],
        [0, 10**15, 20, 30],  # a frame shown for three million years
        [0, 36_001, 36_002],  # one shown for an hour
        [*range(40), 36_000, *range(41, 90)],  # one flung far ahead
        [*range(50), *range(50)],  # two recordings strung together
        list(range(0, 36_000 * 200, 36_000)),  # eight days
    ],
)
def test_implausible_timestamps_are_replaced_by_the_rate(pts: list[int]) -> None:
    timeline = timeline_of(index_of(pts))
    assert timeline.origin is None
    assert not timeline.exact
    np.testing.assert_allclose(timeline.seconds, np.arange(len(pts)) / 4)
    assert timeline.duration_seconds == pytest.approx(len(pts) / 4)


def test_frames_that_share_a_timestamp_make_it_inexact() -> None:
    assert not timeline_of(index_of([0, 1, 1, 2])).exact


def test_the_frame_at_an_instant_is_the_last_not_after_it() -> None:
    timeline = timeline_of(index_of([0, 1, 4]))
    asked = np.array([-5.0, 0.0, 0.099, 0.1 - 1e-9, 0.1, 0.39, 0.4, 99.0])
    assert timeline.frames_at(asked).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]


def test_early_keys_mark_scene_cuts() -> None:
    # A key at least every 50 frames: those after 20 and after 35 came early, one after 49 did not.
    keys = [0, 50, 70, 120, 155, 205, 254]
    timeline = timeline_of(index_of(list(range(300)), keys))
    assert timeline.scene_cuts(np.array(keys)) == pytest.approx([7.0, 15.5])


def test_regular_keys_mark_no_cut() -> None:
    keys = [0, 20, 40, 60, 100, 120]  # the missing one at 80 doesn't turn the others into cuts
    timeline = timeline_of(index_of(list(range(130)), keys))
    assert timeline.scene_cuts(np.array(keys)) == []
    assert timeline.scene_cuts(np.array([0])) == []


def test_decoding_starts_at_a_key_that_is_shown_before_the_frame() -> None:
    # In file order; packets 4 and 8 are keys, 5 and 6 follow the first but are shown before it.
    index = index_of([0, 3, 1, 2, 7, 5, 6, 4, 8, 9], keys=[0, 4, 8])
    assert index.starts_of(np.arange(10)).tolist() == [0, 0, 0, 0, 4, 0, 0, 0, 8, 8]
    # Packets before the first key are decoded with its group.
    assert index_of([0, 1, 2, 3], keys=[2]).starts_of(np.array([3])).tolist() == [0]
