"""Variants: what a study compares, alone and in blocks."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from centerclip.naming import format_name, parse_name
from centerclip.schedule import TokenSchedule

__all__ = ["Section", "Variant", "Variants"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variant(Section):
    """One way to spend less on a video: a reducer under a schedule, or fewer frames.

    `reducer` is a name with optional options: `kmedoids`, `spectral(graph=knn)`, `my_module:MyReducer`.
    `frames` is None for as many as the study's.
    """

    reducer: str
    schedule: str
    temporal: bool = False
    frames: int | None = None

    @property
    def kind(self) -> str:
        """The reducer, or `none` if nothing is reduced."""
        return "none" if self.schedule == "none" else self.reducer

    @property
    def label(self) -> str:
        """The variant without its schedule: `kmedoids`, `none + temporal`, `none, 8 frames`."""
        few = "" if self.frames is None else f", {self.frames} frames"
        return f"{self.kind} + temporal{few}" if self.temporal else f"{self.kind}{few}"

    @property
    def name(self) -> str:
        """Unique in a study and valid as a folder's name: `kmedoids_B6-4,49`, `none_8-frames`."""
        parts = [self.kind.replace(" ", "").replace("/", "+")]
        parts += [] if self.schedule == "none" else [self.schedule.replace(";", "+")]
        parts += [] if self.frames is None else [f"{self.frames}-frames"]
        return "_".join([*parts, *(["temporal"] if self.temporal else [])])

    def settings(self, frames: int) -> dict[str, Any]:
        """Arguments for `CenterCLIP.with_`, without the temporal embedding.

        Args:
            frames: of the study.
        """
        return {"schedule": self.schedule, "reducer": self.reducer, "frames": self.frames or frames}


class Variants(Section):
    """A block of variants: every reducer with every schedule, number of frames and value of `temporal`."""

    reducers: tuple[str, ...] = ("kmedoids",)
    schedules: tuple[str, ...] = ("none",)
    temporal: tuple[bool, ...] = (False,)
    frames: tuple[int, ...] = Field((), description="Empty: the study's number.")
    starts: tuple[str, ...] = Field((), description="Names of starts; empty: all.")

    def expand(self) -> list[Variant]:
        """List the variants of the block, grouped by schedule.

        Raises:
            ConfigError: a reducer's name or options can't be parsed.
        """
        reducers = [format_name(*parse_name(reducer)) for reducer in self.reducers]
        return [
            Variant(reducer=reducer, schedule=str(schedule), temporal=temporal, frames=frames)
            for schedule in map(TokenSchedule.parse, self.schedules)
            for reducer in (reducers if schedule else ["kmedoids"])  # `none` ignores the reducer
            for frames in (self.frames or (None,))
            for temporal in self.temporal
        ]
