"""What came of each run of a study: one JSON file a run, and a run that has one isn't made again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip import metrics
from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.costs import Cost

__all__ = ["RunResult", "Study", "VariantResult", "read_result", "write_result"]


@dataclass(frozen=True)
class RunResult:
    """One variant with one seed.

    Attributes:
        plan: a hash of everything that the figures depend on.
        ranks, reverse_ranks: text to video, a rank a caption; video to text, a rank a video.
        video_of_caption: what each caption belongs to.
        directed: the captions that name a direction.
        direction_ranks: the rank of each of those for its video, among itself and its opposite: 1 or 2.
    """

    plan: str
    variant: str
    seed: int
    ranks: list[float]
    reverse_ranks: list[float]
    video_of_caption: list[int]
    directed: list[int]
    direction_ranks: list[float]


def write_result(path: Path, result: RunResult) -> None:
    """Write a result whole or not at all."""
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(asdict(result)) + "\n", encoding="utf-8")
    partial.replace(path)


def read_result(path: Path, plan: str) -> RunResult | None:
    """The result of this plan at `path`; None where there is none, or one of another plan."""
    if not path.is_file():
        return None
    found = RunResult(**json.loads(path.read_text(encoding="utf-8")))
    return found if found.plan == plan else None


@dataclass(frozen=True)
class VariantResult:
    """A variant over all its seeds. All queries of a video, with every seed, are drawn together."""

    variant: Variant
    runs: tuple[RunResult, ...]

    def summary(self) -> metrics.Summary:
        """Text to video, over the captions of all seeds."""
        return metrics.summarize(self._ranks(), groups=self._groups())

    def reverse_summary(self) -> metrics.Summary:
        """Video to text, over the videos of all seeds."""
        ranks = np.concatenate([run.reverse_ranks for run in self.runs])
        return metrics.summarize(
            ranks, groups=np.tile(np.arange(len(ranks) // len(self.runs)), len(self.runs))
        )

    def compared_with(self, other: VariantResult) -> metrics.Comparison:
        """This variant's text to video minus the other's, on the same captions and seeds."""
        return metrics.compare(other._ranks(), self._ranks(), groups=self._groups())

    def by_seed(self) -> list[float]:
        """R@1 of each seed, in percent."""
        return [100 * float(np.mean(np.asarray(run.ranks) <= 1)) for run in self.runs]

    def directions(self) -> metrics.Estimate | None:
        """How often a video is nearer to its caption than to the opposite, in percent; chance is 50."""
        if not self.runs[0].directed:
            return None
        ranks = np.concatenate([run.direction_ranks for run in self.runs])
        groups = np.concatenate([np.asarray(run.video_of_caption)[run.directed] for run in self.runs])
        return metrics.summarize(ranks, groups=groups).recall_at_1

    def _ranks(self) -> NDArray[np.float64]:
        return np.concatenate([run.ranks for run in self.runs])

    def _groups(self) -> NDArray[np.int64]:
        return np.concatenate([run.video_of_caption for run in self.runs])


@dataclass(frozen=True)
class Study:
    """A finished study: a result a variant, in the plan's order, and each variant's cost by its name."""

    config: StudyConfig
    results: tuple[VariantResult, ...]
    costs: Mapping[str, Cost]
