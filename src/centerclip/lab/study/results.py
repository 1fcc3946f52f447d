"""Results of a study: one JSON file per run, so that finished runs aren't repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip import metrics
from centerclip.atomic import write_atomically
from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.costs import Cost

__all__ = ["RunResult", "Study", "VariantResult", "read_result", "write_result"]


@dataclass(frozen=True)
class RunResult:
    """Results of one variant with one seed.

    Attributes:
        plan: a hash of everything that the results depend on.
        ranks: text to video, one per caption.
        reverse_ranks: video to text, one per video.
        video_of_caption: number of each caption's video.
        directed: numbers of the captions that name a direction.
        direction_ranks: rank of each of these among itself and its opposite, for its video: 1 to 2.
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
    write_atomically(path, json.dumps(asdict(result)) + "\n")


def read_result(path: Path, plan: str) -> RunResult | None:
    """Read a result; None if there is no file, or one of another plan."""
    if not path.is_file():
        return None
    found = RunResult(**json.loads(path.read_text(encoding="utf-8")))
    return found if found.plan == plan else None


@dataclass(frozen=True)
class VariantResult:
    """A variant over all its seeds. The bootstrap draws all queries of a video, with every seed, together."""

    variant: Variant
    runs: tuple[RunResult, ...]

    def summary(self) -> metrics.Summary:
        """Summarize text to video, over the captions of all seeds."""
        return metrics.summarize(self._ranks(), groups=self._groups())

    def reverse_summary(self) -> metrics.Summary:
        """Summarize video to text, over the videos of all seeds."""
        ranks = np.concatenate([run.reverse_ranks for run in self.runs])
        videos = np.arange(len(self.runs[0].reverse_ranks))
        return metrics.summarize(ranks, groups=np.tile(videos, len(self.runs)))

    def compared_with(self, other: VariantResult) -> metrics.Comparison:
        """Compare text to video, this variant minus the other, on the same captions and seeds."""
        return metrics.compare(other._ranks(), self._ranks(), groups=self._groups())

    def by_seed(self) -> list[float]:
        """R@1 of each seed, in percent."""
        return [100 * float(np.mean(np.asarray(run.ranks) <= 1)) for run in self.runs]

    def directions(self) -> metrics.Estimate | None:
        """How often a video is closer to its caption than to the opposite, in percent; chance is 50."""
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
    """A finished study: one result per variant, in the plan's order, and the costs by variant name."""

    config: StudyConfig
    results: tuple[VariantResult, ...]
    costs: Mapping[str, Cost]
