"""Schedules by name: `fast`, `balanced` and `best`, carried over to a model's own geometry.

A name is only a way to ask. What a model prints, saves and is known by is always the notation.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from centerclip.errors import ScheduleError
from centerclip.schedule.notation import Reduction, TokenSchedule

__all__ = ["PRESETS", "check_schedule", "resolve_schedule"]

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        # Multiply-adds of ViT-B/32's tower on 12 frames, of the 52.9 G of `none`; and nano's R@1 from text to
        # video in docs/study.md, where `none` has 76.9 [73.4, 80.3].
        "fast": "B3-3,49",  # 23.9 G, 80.2 [77.0, 83.2]
        "balanced": "B6-4,49",  # 35.7 G, 80.5 [77.2, 83.6]; the default of a model that brings none along
        "best": "B6-6,49",  # 40.0 G, 79.3 [75.8, 82.6]; the nearest to the plain model
    }
)
"""Each as it stands for the paper's smaller model: 12 blocks, 12 frames, 49 patches a frame."""

_BLOCKS, _FRAMES, _PATCHES = 12, 12, 49
_MOST_WHOLE = 64
"""Up to so many patches a frame's worth of tokens is all of them; beyond, 160 of 196 in proportion."""


def resolve_schedule(
    schedule: str | TokenSchedule, *, blocks: int, patches: int, frames: int
) -> TokenSchedule:
    """Turn what a user asks for into the schedule for a model.

    A preset's blocks and segments are carried over in proportion, so `balanced` stands after half of the
    blocks and leaves a third as many segments as frames. Its 49 tokens, a frame's worth, become all of a
    frame's patches up to 64, or else 160 of 196 in proportion, as in the paper (B/32: 49, B/16: 160, L/14:
    209). What a preset does to the recall of a model that was not trained with it is not known.

    Args:
        schedule: a preset's name, the notation, or a schedule, which is returned unchanged.
        blocks, patches, frames: of the model; P is counted a frame.

    Raises:
        ScheduleError: neither a preset nor notation.

    Source: CenterCLIP (arXiv 2205.00823) section 4.2, B6-4,49 and B6-4,160.
    """
    if not isinstance(schedule, str):
        return schedule
    preset = PRESETS.get(schedule.strip().lower())
    if preset is None:
        return _parse(schedule)
    whole = patches if patches <= _MOST_WHOLE else round(patches * 160 / 196)
    stages: dict[int, Reduction] = {}
    for stage in TokenSchedule.parse(preset).reductions:
        block = max(1, stage.block * blocks // _BLOCKS)  # where two fall on one block, the later counts
        segments = max(1, stage.segments * frames // _FRAMES)
        stages[block] = Reduction(block, segments, max(1, round(stage.tokens * whole / _PATCHES)))
    return TokenSchedule(tuple(stages.values())).fit(frames=frames, patches=patches)


def check_schedule(schedule: str) -> None:
    """Tell before a model is loaded whether a user's schedule can be understood.

    Raises:
        ScheduleError: neither a preset nor notation.
    """
    resolve_schedule(schedule, blocks=_BLOCKS, patches=_PATCHES, frames=_FRAMES)


def _parse(text: str) -> TokenSchedule:
    try:
        return TokenSchedule.parse(text)
    except ScheduleError as error:
        if ";" in text or "," in text:  # a mistake in the notation
            raise
        raise ScheduleError(f"{error}, or a preset: {', '.join(PRESETS)}") from error
