"""Token schedules: the notation and what it costs, and the presets, for a model of any geometry."""

from centerclip.schedule.notation import Reduction, TokenSchedule, segment_sizes
from centerclip.schedule.presets import PRESETS, check_schedule, resolve_schedule

__all__ = ["PRESETS", "Reduction", "TokenSchedule", "check_schedule", "resolve_schedule", "segment_sizes"]
