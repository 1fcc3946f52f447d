"""Results of a study: one JSON file per trained model, so that finished runs aren't repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from centerclip.atomic import write_atomically
from centerclip.lab.study.config import Comparison, StudyConfig, Variant
from centerclip.lab.study.costs import Cost
from centerclip.lab.study.statistics import Effect, effect, holm

__all__ = ["Answer", "Ranks", "RunResult", "Study", "VariantResult", "read_result", "write_result"]


@dataclass(frozen=True)
class Ranks:
    """Ranks of the test split under one variant.

    Attributes:
        forward: text to video, one per caption.
        backward: video to text, one per video.
        opposite: 1 to 2, the rank of each caption with an opposite among both, for its video.
        validation: text-to-video R@1 of the val split in percent; None if there is nothing to choose.
    """

    forward: list[float]
    backward: list[float]
    opposite: list[float]
    validation: float | None


@dataclass(frozen=True)
class RunResult:
    """Results of one trained model.

    Attributes:
        plan: a hash of everything that the model depends on.
        start, variant, seed: what was trained, from where.
        video_of_caption: number of each caption's video.
        opposed: numbers of the captions that have an opposite.
        under: ranks by the name of the variant that the model was run under, its own first.
    """

    plan: str
    start: str
    variant: str
    seed: int
    video_of_caption: list[int]
    opposed: list[int]
    under: Mapping[str, Ranks]

    @classmethod
    def parse(cls, text: str) -> Self:
        fields = json.loads(text)
        under = {name: Ranks(**ranks) for name, ranks in fields.pop("under").items()}
        return cls(**fields, under=under)


def write_result(path: Path, result: RunResult) -> None:
    write_atomically(path, json.dumps(asdict(result)) + "\n")


def read_result(path: Path) -> RunResult | None:
    """Read a result; None if there is no file, or one of another version."""
    if not path.is_file():
        return None
    try:
        return RunResult.parse(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


@dataclass(frozen=True)
class VariantResult:
    """A variant trained from one start, with each finished seed."""

    start: str
    variant: Variant
    runs: tuple[RunResult, ...]

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs]

    def table(self, outcome: str = "recall", *, under: str | None = None) -> NDArray[np.float64]:
        """Figures [S, V] of each seed and video, in percent; their mean is that over captions.

        Args:
            outcome: `recall` for text-to-video R@1, `opposite` for captions nearer than their opposites.
            under: name of the variant that the models are run under, by default their own.
        """
        return np.stack([_figures(run, outcome, under or self.variant.name) for run in self.runs])

    def level(self, outcome: str = "recall", *, under: str | None = None) -> Effect | None:
        """The outcome with its interval over seeds and videos; None if the split has no such captions."""
        table = self.table(outcome, under=under)
        return effect(table) if table.shape[1] > 1 else None

    def by_seed(self, outcome: str = "recall") -> list[float]:
        return [float(mean) for mean in self.table(outcome).mean(1)]

    def figure(self, name: str) -> float:
        """A mean over all seeds: `mean_rank` of text to video, or `backward`, R@1 of video to text."""
        own = [run.under[self.variant.name] for run in self.runs]
        if name == "mean_rank":
            return float(np.mean([ranks.forward for ranks in own]))
        return 100 * float(np.mean(np.asarray([ranks.backward for ranks in own]) <= 1))

    def compared_with(self, other: VariantResult, outcome: str = "recall") -> Effect | None:
        """The difference to another variant, paired by seed and video; None without common seeds."""
        common = [seed for seed in self.seeds if seed in other.seeds]
        if not common:
            return None
        own, others = (
            each.table(outcome)[[each.seeds.index(seed) for seed in common]] for each in (self, other)
        )
        return effect(own - others)

    def names(self) -> list[str]:
        """Names of the variants that the models of all finished seeds were run under, their own first."""
        first, *others = (run.under for run in self.runs)
        return [name for name in first if all(name in under for under in others)]

    def chosen(self) -> str:
        """The variant with the highest R@1 on the val split, averaged over seeds; the first of equal ones."""
        means = {
            name: float(np.mean([run.under[name].validation or 0.0 for run in self.runs]))
            for name in self.names()
        }
        return max(means, key=means.__getitem__)


def _figures(run: RunResult, outcome: str, under: str) -> NDArray[np.float64]:
    owner, ranks = np.asarray(run.video_of_caption), np.asarray(run.under[under].forward)
    if outcome == "opposite":
        owner, ranks = owner[run.opposed], np.asarray(run.under[under].opposite)
    if not len(ranks):
        return np.zeros(0)
    videos, group = np.unique(owner, return_inverse=True)
    hits = np.bincount(group, weights=ranks <= 1, minlength=len(videos))
    return np.asarray(100 * hits * len(videos) / len(ranks))


@dataclass(frozen=True)
class Answer:
    """A comparison from one start, with the p-values corrected for the number of comparisons.

    Attributes:
        difference: of the plan's outcome, variant minus baseline.
        p_value: that they differ.
        equivalence: that they differ by less than the margin.
    """

    comparison: Comparison
    start: str
    difference: Effect
    p_value: float
    equivalence: float


@dataclass(frozen=True)
class Study:
    """The finished runs of a study: a result per start and variant that has any, and costs by variant."""

    config: StudyConfig
    results: tuple[VariantResult, ...]
    costs: Mapping[str, Cost]

    def answers(self) -> list[Answer]:
        """Answer every comparison that has runs. P-values are corrected for all that are planned."""
        found = {(result.start, result.variant.name): result for result in self.results}
        pairs = self.config.pairs()
        measured = list(self._differences(pairs, found))
        missing = [1.0] * (len(pairs) - len(measured))
        margin = self.config.margin or 0.0
        p_values = holm([difference.p_value for *_, difference in measured] + missing)
        equivalences = holm([difference.equivalence(margin) for *_, difference in measured] + missing)
        return [
            Answer(comparison, start, difference, p, same)
            for (comparison, start, difference), p, same in zip(
                measured, p_values, equivalences, strict=False
            )
        ]

    def _differences(
        self, pairs: list[tuple[Comparison, str]], found: Mapping[tuple[str, str], VariantResult]
    ) -> Iterator[tuple[Comparison, str, Effect]]:
        for comparison, start in pairs:
            variant = found.get((start, comparison.variant))
            baseline = found.get((start, comparison.baseline))
            if variant and baseline:
                difference = variant.compared_with(baseline, self.config.outcome)
                if difference:
                    yield comparison, start, difference
