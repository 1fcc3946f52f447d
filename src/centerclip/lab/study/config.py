"""The plan of a study as a TOML file: what is compared, from which checkpoint, with what budget.

It shares sections with training recipes. Knows no tensors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from centerclip.naming import format_name, parse_name
from centerclip.schedule import TokenSchedule
from centerclip.training.config import DataSection, OptimizationSection, TrainConfig
from centerclip.training.recipes import read_config

__all__ = ["StudyConfig", "Variant", "World", "load_study"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variant(_Section):
    """One way to reduce tokens: a reducer under a schedule, with or without the temporal embedding.

    `reducer` is a name with optional options: `kmedoids`, `spectral(graph=knn)`, `my_module:MyReducer`.
    """

    reducer: str
    schedule: str
    temporal: bool = False

    @property
    def kind(self) -> str:
        """The reducer, or `none` if nothing is reduced."""
        return "none" if self.schedule == "none" else self.reducer

    @property
    def label(self) -> str:
        """The variant without its schedule: `kmedoids`, `none + temporal`."""
        return f"{self.kind} + temporal" if self.temporal else self.kind

    @property
    def name(self) -> str:
        """Unique in a study and valid as a folder's name: `kmedoids_B6-4,49`, `none`, `none_temporal`."""
        parts = [self.kind.replace(" ", "").replace("/", "+")]
        parts += [] if self.schedule == "none" else [self.schedule.replace(";", "+")]
        return "_".join([*parts, *(["temporal"] if self.temporal else [])])


class Variants(_Section):
    """A block of variants: every reducer with every schedule and every value of `temporal`."""

    reducers: tuple[str, ...] = ("kmedoids",)
    schedules: tuple[str, ...]
    temporal: tuple[bool, ...] = (False,)

    def expand(self) -> list[Variant]:
        """List the variants of the block, grouped by schedule.

        Raises:
            ConfigError: a reducer's name or options can't be parsed.
        """
        reducers = [format_name(*parse_name(reducer)) for reducer in self.reducers]
        return [
            Variant(reducer=reducer, schedule=str(schedule), temporal=temporal)
            for schedule in map(TokenSchedule.parse, self.schedules)
            for reducer in (reducers if schedule else ["kmedoids"])  # `none` ignores the reducer
            for temporal in self.temporal
        ]


class World(_Section):
    """The toy world to render into `data.videos` first; existing videos are kept."""

    train: int = Field(ge=0)
    val: int = Field(ge=1)
    test: int = Field(ge=1)
    directions: bool = False
    narrow: bool = False


class StudyConfig(_Section):
    """A whole study.

    Every variant starts from `start` (a model's name or folder), or from the best model of the recipe `base`,
    which is trained first. Without `optimization`, the variants are compared untrained.
    """

    title: str
    output: Path
    seeds: tuple[int, ...] = (0, 1, 2)
    frames: int = Field(12, ge=1)
    base: Path | None = None
    start: str | None = None
    world: World | None = None
    data: DataSection
    optimization: OptimizationSection | None = None
    variants: tuple[Variants, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if (self.base is None) == (self.start is None):
            raise ValueError("give either start (a model's name or folder) or base (a recipe), not both")
        if self.optimization is None and len(self.seeds) > 1:
            raise ValueError("without [optimization], nothing depends on the seed: give only one in seeds")
        return self

    def expand(self) -> list[Variant]:
        """All variants, each once, in the order of the file."""
        return list(dict.fromkeys(variant for block in self.variants for variant in block.expand()))

    def recipe(self, variant: Variant, seed: int, start: str, output: Path) -> TrainConfig:
        """The training recipe of one variant and seed; variants differ only in their own fields."""
        assert self.optimization is not None
        return TrainConfig.model_validate(
            {
                "output": output,
                "seed": seed,
                "checkpoint_every": 20,
                "validate_every": 10**9,  # only at the end: all variants are trained equally long
                "model": {"start": start, "frames": self.frames, **variant.model_dump()},
                "data": self.data,
                "optimization": self.optimization,
            }
        )


def load_study(path: str | Path, **overrides: Any) -> StudyConfig:
    """Read the plan of a study.

    Args:
        path: a TOML file.
        overrides: top-level values that replace the file's, such as `output`.

    Raises:
        ConfigError: no such file, not TOML, or unknown keys and invalid values; each is named.
    """
    return read_config(path, StudyConfig, **overrides)
