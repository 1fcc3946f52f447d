"""Named schedules `fast`, `balanced` and `best`, scaled to a model's geometry.

Models always print, save and hash the notation, never the name.
"""

from collections.abc import Mapping
from types import MappingProxyType

from centerclip.errors import ScheduleError
from centerclip.schedule.notation import Reduction, TokenSchedule

__all__ = ["PRESETS", "check_schedule", "resolve_schedule"]

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        # Multiply-adds of ViT-B/32 on 12 frames (`none`: 49.4 G; docs/pretrained.md has other models), and
        # nano's text-to-video R@1 in docs/study.md (`none`: 76.9 [73.4, 80.3]).
        "fast": "B3-3,49",  # 23.0 G, 80.2 [77.0, 83.2]
        "balanced": "B6-4,49",  # 34.6 G, 80.5 [77.2, 83.6]; the default
        "best": "B6-6,49",  # 38.3 G, 79.3 [75.8, 82.6]; the nearest to the plain model
    }
)
"""For the paper's smaller model: 12 blocks, 12 frames, 49 patches per frame."""

_BLOCKS, _FRAMES, _PATCHES = 12, 12, 49
_FEW_PATCHES = 64
"""With at most this many patches per frame, presets keep a whole frame's worth of tokens per segment."""


def resolve_schedule(
    schedule: str | TokenSchedule, *, blocks: int, patches: int, frames: int
) -> TokenSchedule:
    """Turn a preset's name or notation into a model's schedule.

    A preset's blocks and segments scale proportionally: `balanced` reduces after half of the blocks, to a
    third as many segments as frames. Its 49 tokens become all of a frame's patches up to 64, and otherwise
    160/196 of them, as in the paper (B/32: 49, B/16: 160, L/14: 209). In a model that wasn't trained with a
    schedule, `none` on fewer frames preserves more of an embedding at equal cost (docs/pretrained.md).

    Args:
        schedule: a preset's name, the notation, or a schedule, which is returned unchanged.
        blocks, patches, frames: of the model; patches per frame.

    Raises:
        ScheduleError: neither a preset nor notation.

    Source: CenterCLIP (arXiv 2205.00823) section 4.2, B6-4,49 and B6-4,160.
    """
    if not isinstance(schedule, str):
        return schedule
    preset = PRESETS.get(schedule.strip().lower())
    if preset is None:
        try:
            return TokenSchedule.parse(schedule)
        except ScheduleError as error:
            if ";" in schedule or "," in schedule:  # a mistake in the notation
                raise
            raise ScheduleError(f"{error}, or a preset: {', '.join(PRESETS)}") from error
    whole = patches if patches <= _FEW_PATCHES else round(patches * 160 / 196)
    stages: dict[int, Reduction] = {}
    for stage in TokenSchedule.parse(preset).reductions:
        block = max(1, stage.block * blocks // _BLOCKS)  # if two stages meet, the later wins
        segments = max(1, stage.segments * frames // _FRAMES)
        stages[block] = Reduction(block, segments, max(1, round(stage.tokens * whole / _PATCHES)))
    return TokenSchedule(tuple(stages.values())).fit(frames=frames, patches=patches)


def check_schedule(schedule: str) -> None:
    """Check the syntax of a schedule before a model is loaded.

    Raises:
        ScheduleError: neither a preset nor notation.
    """
    resolve_schedule(schedule, blocks=_BLOCKS, patches=_PATCHES, frames=_FRAMES)
