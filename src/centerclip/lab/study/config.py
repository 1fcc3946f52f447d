"""The plan of a study as a TOML file: what is compared, from which starts, with what budget and margin.

It shares sections with training recipes. Knows no tensors.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from centerclip.errors import ConfigError
from centerclip.lab.study.variants import Section, Variant, Variants
from centerclip.training.config import DataSection, OptimizationSection, TrainConfig
from centerclip.training.recipes import read_config

__all__ = ["Comparison", "StudyConfig", "Variant", "World", "load_study"]


class World(Section):
    """The toy world to render into `data.videos` first; existing videos are kept."""

    train: int = Field(ge=0)
    val: int = Field(ge=1)
    test: int = Field(ge=1)
    directions: bool = False
    narrow: bool = False
    pairs: bool = False

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if self.pairs and (self.directions or self.narrow):
            raise ValueError("pairs can't be combined with directions or narrow: choose one kind of world")
        return self


class Comparison(Section):
    """A question that the study answers: is one variant better than, worse than or as good as another?

    `variant` and `baseline` are names of variants, such as `kmedoids_B6-4,49`; `starts` are those where both
    are compared, all of them if empty.
    """

    question: str
    variant: str
    baseline: str = "none"
    starts: tuple[str, ...] = ()


class AssumedErrors(Section):
    """What seeds and videos are expected to contribute to a difference's standard error, in points."""

    seeds: float = Field(gt=0)
    videos: float = Field(gt=0)


class StudyConfig(Section):
    """A whole study.

    `starts` are the models that training starts from, by name: a model's name or folder, or a recipe (a path
    that ends in `.toml`), which is trained first; a later recipe may start from an earlier one's best model.
    Without `optimization`, the variants are compared untrained.

    Every model is measured on `split` under its own variant, and under those of `run_under` too. Which of
    these suits it best is chosen on the videos that training is validated on: `data.val_split`, or
    `data.val_videos` of the training split.
    """

    title: str
    output: Path
    seeds: tuple[int, ...] = Field((0, 1, 2, 3, 4), min_length=1)
    frames: int = Field(12, ge=1)
    split: str = "test"
    """The split that results are reported on."""
    keep_models: bool = False
    """Keep the trained models, so that they can be run under further variants without training again."""
    starts: dict[str, str] = Field(min_length=1)
    world: World | None = None
    data: DataSection
    optimization: OptimizationSection | None = None
    variants: tuple[Variants, ...] = Field(min_length=1)
    run_under: tuple[Variants, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    outcome: Literal["recall", "opposite"] = "recall"
    """Compared: text-to-video R@1, or how often a caption is nearer to its video than its opposite."""
    margin: float | None = Field(None, gt=0)
    """Variants are as good as each other if they differ by less than this, in percentage points."""
    assumed_errors: AssumedErrors | None = None
    """Standard errors of a difference to expect, to state the power before running."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.optimization is None and len(self.seeds) > 1:
            raise ValueError("without [optimization], nothing depends on the seed: give only one in seeds")
        if self.split == self.data.train_split and self.optimization is not None:
            raise ValueError(f"split {self.split!r} is trained on: report results on another one")
        validated = self.data.val_videos is None and (self.optimization or self.run_under)
        if self.split == self.data.val_split and validated:
            raise ValueError(f"split {self.split!r} is also data.val_split: report results on another one")
        if self.comparisons and self.margin is None:
            raise ValueError("comparisons need a margin, stated before the study runs: give margin")
        named = [name for block in self.variants for name in block.starts]
        named += [name for comparison in self.comparisons for name in comparison.starts]
        for name in {*named} - {*self.starts}:
            raise ValueError(f"unknown start {name!r}: choose one of {', '.join(self.starts)}")
        if any(block.temporal != (False,) or block.starts for block in self.run_under):
            raise ValueError(
                "run_under runs trained models, so it can't set temporal or starts: leave them out"
            )
        return self

    @property
    def arms(self) -> list[tuple[str, Variant]]:
        """All starts with the variants that are trained from them, each once, in the order of the file.

        Raises:
            ConfigError: a reducer's name or options can't be parsed.
        """
        return list(
            dict.fromkeys(
                (start, variant)
                for start in self.starts
                for block in self.variants
                if not block.starts or start in block.starts
                for variant in block.expand()
            )
        )

    def expand(self) -> list[Variant]:
        """All variants, each once."""
        return list(dict.fromkeys(variant for _, variant in self.arms))

    def others(self) -> list[Variant]:
        """The variants that every trained model is run under, besides its own."""
        return list(dict.fromkeys(variant for block in self.run_under for variant in block.expand()))

    def columns(self, variant: Variant) -> list[Variant]:
        """The variants that a model trained under `variant` is run under, its own first."""
        return list(dict.fromkeys((variant, *self.others())))

    def chooses(self, variant: Variant) -> bool:
        """Whether one of these is chosen by validation."""
        return len(self.columns(variant)) > 1

    def pairs(self) -> list[tuple[Comparison, str]]:
        """Each comparison with each of its starts: the family that p-values are corrected for.

        Raises:
            ConfigError: a comparison names a variant that isn't trained from its start.
        """
        trained: dict[str, list[str]] = {}
        for start, variant in self.arms:
            trained.setdefault(start, []).append(variant.name)
        pairs = [(each, start) for each in self.comparisons for start in each.starts or self.starts]
        for comparison, start in pairs:
            for name in (comparison.variant, comparison.baseline):
                if name not in trained.get(start, []):
                    raise ConfigError(
                        f"the comparison {comparison.question!r} needs {name!r} from {start!r}, which isn't "
                        f"among its variants: {', '.join(trained.get(start, []))}"
                    )
        return pairs

    def recipe(self, variant: Variant, seed: int, start: str, output: Path) -> TrainConfig:
        """The training recipe of one variant and seed; variants differ only in their own fields."""
        assert self.optimization is not None
        return TrainConfig.model_validate(
            {
                "output": output,
                "seed": seed,
                "checkpoint_every": 20,
                "validate_every": 10**9,  # only at the end: all variants are trained equally long
                "model": {"start": start, "temporal": variant.temporal, **variant.settings(self.frames)},
                "data": self.data,
                "optimization": self.optimization,
            }
        )


def load_study(path: str | Path, *, settings: Iterable[str] = (), **overrides: Any) -> StudyConfig:
    """Read the plan of a study.

    Args:
        path: a TOML file.
        settings: changes such as `optimization.steps=100`.
        overrides: top-level values that replace the file's, such as `output`.

    Raises:
        ConfigError: no such file, not TOML, unknown keys and invalid values, or comparisons of variants that
            aren't in the plan; each is named.
    """
    config = read_config(path, StudyConfig, settings=settings, **overrides)
    config.pairs()
    return config
