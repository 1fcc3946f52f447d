"""Schedules: notation, rules, and costs compared with the paper's."""

import pytest

from centerclip.errors import ScheduleError
from centerclip.schedule import Reduction, TokenSchedule, segment_sizes


def test_parses_and_prints() -> None:
    for text in ("none", "B6-4,49", "B3-6,49;B9-3,49"):
        assert str(TokenSchedule.parse(text)) == text
    schedule = TokenSchedule.parse(" b6-4,49 ; B9-2,20 ")
    assert schedule == TokenSchedule((Reduction(6, 4, 49), Reduction(9, 2, 20)))
    assert TokenSchedule.parse(schedule) is schedule
    assert not TokenSchedule.parse("None")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "B6-4,49"),
        ("6-4,49", "B6-4,49"),
        ("B6-4", "B6-4,49"),
        ("B6-4,49;", "B6-4,49"),
        ("B6-0,49", "segments is 0"),
        ("B6-4,0", "tokens is 0"),
        ("B0-4,49", "block is 0"),
        ("B6-4,49;B6-2,49", "ascending"),
        ("B6-4,49;B3-2,49", "ascending"),
        ("B3-4,49;B6-6,49", "may only shrink"),
    ],
)
def test_errors_name_the_broken_rule(text: str, rule: str) -> None:
    with pytest.raises(ScheduleError, match=rule):
        TokenSchedule.parse(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("B12-4,49", "12 blocks"),
        ("B6-13,49", "at least as many frames"),
        ("B6-12,50", "1 x 49 tokens, so keep at most 49"),
        ("B6-4,148", "3 x 49 tokens, so keep at most 147"),
        ("B3-6,49;B9-4,50", "keep at most 49"),  # 6 sequences in 4 segments: one has a single sequence
    ],
)
def test_validation_names_the_broken_rule(text: str, rule: str) -> None:
    with pytest.raises(ScheduleError, match=rule):
        TokenSchedule.parse(text).validate(blocks=12, frames=12, patches=49)


def test_validation_accepts_the_settings_of_the_paper() -> None:
    for text, frames, patches in [
        *((text, 12, 49) for text in ("B6-6,49", "B6-4,49", "B6-3,49", "B3-6,49;B9-3,49", "B6-5,49")),
        *(("B6-4,160", 12, 196), ("B6-20,49", 60, 49), ("B6-15,160", 60, 196)),
    ]:
        TokenSchedule.parse(text).validate(blocks=12, frames=frames, patches=patches)


@pytest.mark.parametrize("frames", range(1, 14))
def test_segments_follow_the_floor_rule(frames: int) -> None:
    for segments in range(1, frames + 1):
        sizes = segment_sizes(frames, segments)
        owners = [frame * segments // frames for frame in range(frames)]
        assert list(sizes) == [owners.count(segment) for segment in range(segments)]
        assert max(sizes) - min(sizes) <= 1
    with pytest.raises(ScheduleError, match=f"1 to {frames} segments"):
        segment_sizes(frames, frames + 1)


@pytest.mark.parametrize("frames", range(1, 13))
@pytest.mark.parametrize("text", ["B6-4,49", "B6-4,60", "B3-6,49;B9-3,49", "B6-1,588", "none"])
def test_a_fitted_schedule_is_valid(text: str, frames: int) -> None:
    schedule = TokenSchedule.parse(text)
    fitted = schedule.fit(frames=frames, patches=49)
    fitted.validate(blocks=12, frames=frames, patches=49)
    if frames == 12:
        assert fitted == schedule
    if (text, frames) == ("B6-4,49", 2):
        assert str(fitted) == "B6-2,49"


@pytest.mark.parametrize(
    ("text", "patches", "patch", "billions"),
    [
        ("none", 49, 32, 52.9),
        ("B6-4,49", 49, 32, 35.7),
        ("none", 196, 16, 210.8),
        ("B6-4,160", 196, 16, 134.4),
    ],
)
def test_multiply_adds_are_those_of_the_paper(text: str, patches: int, patch: int, billions: float) -> None:
    cost = TokenSchedule.parse(text).multiply_adds(
        blocks=12, frames=12, patches=patches, width=768, mlp_width=3072, patch_pixels=3 * patch * patch
    )
    assert cost / 1e9 == pytest.approx(billions, abs=0.05)


def test_tokens_by_block_of_two_stages() -> None:
    counts = TokenSchedule.parse("B1-6,30;B3-2,10").tokens_by_block(blocks=4, frames=12, patches=49)
    assert counts == [(12, 49), (6, 30), (6, 30), (2, 10)]
