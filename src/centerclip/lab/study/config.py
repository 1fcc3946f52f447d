"""The plan of a study as a TOML file: what is compared, from which checkpoint, with what budget.

Its sections are those of training recipes wherever they mean the same. Knows no tensors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from centerclip.schedule import TokenSchedule
from centerclip.training.config import DataSection, OptimizationSection, TrainConfig
from centerclip.training.recipes import read_config

__all__ = ["StudyConfig", "Variant", "World", "load_study"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variant(_Section):
    """One thing that is compared: a way to reduce tokens and how far.

    `reducer` is a name, with options if need be: `kmedoids`, `spectral(graph=knn)`, `my_module:MyReducer`.
    """

    reducer: str
    schedule: str
    temporal: bool = False

    @property
    def kind(self) -> str:
        """What reduces the tokens; `none` where nothing does."""
        return "none" if self.schedule == "none" else self.reducer

    @property
    def name(self) -> str:
        """Unique in a study, and fit for a folder: `kmedoids_B6-4,49`, `none`, `none_temporal`."""
        parts = [self.kind.replace(" ", "").replace("/", "+")]
        parts += [] if self.schedule == "none" else [self.schedule.replace(";", "+")]
        return "_".join([*parts, *(["temporal"] if self.temporal else [])])


class Variants(_Section):
    """Variants in a block: every reducer with every schedule, with and without what `temporal` names."""

    reducers: tuple[str, ...] = ("kmedoids",)
    schedules: tuple[str, ...]
    temporal: tuple[bool, ...] = (False,)

    def expand(self) -> list[Variant]:
        """The variants of the block, those with the same schedule side by side."""
        variants = []
        for schedule in map(TokenSchedule.parse, self.schedules):
            # the plain model has no use for a reducer, whatever its name
            for reducer in self.reducers if schedule else ("kmedoids",):
                variants += [
                    Variant(reducer=reducer, schedule=str(schedule), temporal=own) for own in self.temporal
                ]
        return variants


class World(_Section):
    """The toy world that is rendered into `data.videos` first; what is there already is kept."""

    train: int = Field(ge=0)
    val: int = Field(ge=1)
    test: int = Field(ge=1)
    directions: bool = False
    narrow: bool = False


class StudyConfig(_Section):
    """A whole study.

    Every variant starts from `start` (a model's name or folder), or from the best model of the recipe
    `base`, which is trained first. Without `optimization` nothing is trained: the variants are compared on
    the weights of the start alone.
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
            raise ValueError("without [optimization] nothing depends on a seed: give one in seeds")
        return self

    def expand(self) -> list[Variant]:
        """All variants, each once, in the order of the file."""
        return list(dict.fromkeys(variant for block in self.variants for variant in block.expand()))

    def recipe(self, variant: Variant, seed: int, start: str, output: Path) -> TrainConfig:
        """The training recipe of one variant and seed; everything but the variant is equal for all."""
        assert self.optimization is not None
        model = {
            "start": start,
            "frames": self.frames,
            "schedule": variant.schedule,
            "reducer": variant.reducer,
            "temporal": variant.temporal,
        }
        return TrainConfig.model_validate(
            {
                "output": output,
                "seed": seed,
                "checkpoint_every": 20,
                "validate_every": 10**9,  # at the end only: all variants are trained equally long
                "model": model,
                "data": self.data,
                "optimization": self.optimization,
            }
        )


def load_study(path: str | Path, **overrides: Any) -> StudyConfig:
    """Read a study.

    Args:
        path: a TOML file.
        overrides: top-level values that replace the file's, such as `output`.

    Raises:
        ConfigError: no such file, not TOML, or keys and values outside the plan; each is named.
        ScheduleError: a schedule that can't be read.
    """
    return read_config(path, StudyConfig, **overrides)
