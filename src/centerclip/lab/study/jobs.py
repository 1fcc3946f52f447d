"""The jobs of a study: one model to train and measure each, with the place and the state of its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.results import RunResult, read_result

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """One variant from one start with one seed, to be sent to a process.

    Attributes:
        start_folder: of the model to start from.
        fingerprint: of that model.
    """

    config: StudyConfig
    start: str
    variant: Variant
    seed: int
    start_folder: str
    fingerprint: str
    device: str

    @property
    def result(self) -> Path:
        return self.config.output / self.start / self.variant.name / f"seed-{self.seed}.json"

    @property
    def folder(self) -> Path:
        """Of the training run, until the result is written."""
        return self.result.parent / f"run-{self.seed}-{self.plan}"

    @property
    def model(self) -> Path:
        """Folder of the trained model, if it is kept."""
        return self.result.parent / f"model-{self.seed}-{self.plan}"

    @property
    def plan(self) -> str:
        """A hash of everything that the model depends on, so that changed plans are run again."""
        return self._hash(())

    @property
    def columns(self) -> list[str]:
        return [each.name for each in self.config.columns(self.variant)]

    def found(self) -> RunResult | None:
        """The result that is there, without variants that aren't in the plan; some may be missing."""
        result = read_result(self.result)
        if result is None or result.plan not in (self.plan, *self._older_plans(result.under)):
            return None
        under = {name: result.under[name] for name in self.columns if name in result.under}
        return replace(result, plan=self.plan, under=under)

    def missing(self, found: RunResult | None) -> list[Variant]:
        """The variants that the model is yet to be run under."""
        if found is None:
            return self.config.columns(self.variant)
        chooses = self.config.chooses(self.variant)
        return [
            each
            for each in self.config.columns(self.variant)
            if each.name not in found.under or (chooses and found.under[each.name].validation is None)
        ]

    def _hash(self, others: Sequence[Variant]) -> str:
        settings = self.config.model_dump(
            mode="json",
            include={"world": True, "data": True, "frames": True, "split": True, "optimization": True},
            exclude={"data": {"cache", "workers"}},
            exclude_defaults=True,
        )
        variants = [variant.model_dump() for variant in (self.variant, *others)]
        text = json.dumps([variants, self.seed, self.fingerprint, settings], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def _older_plans(self, names: Collection[str]) -> Iterator[str]:
        """Hashes of an older version, which also covered the variants that the model was run under."""
        others = [each for each in self.config.others() if each.name in names]
        yield self._hash(others)
        yield self._hash([each for each in others if each != self.variant])
