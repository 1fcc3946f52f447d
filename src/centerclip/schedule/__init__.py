"""Token schedules: notation, presets, and costs, for models of any geometry."""

from centerclip.schedule.notation import Reduction, TokenSchedule, segment_sizes
from centerclip.schedule.presets import PRESETS, check_schedule, resolve_schedule

__all__ = ["PRESETS", "Reduction", "TokenSchedule", "check_schedule", "resolve_schedule", "segment_sizes"]
