"""The log of a run: one line of JSON per step, which trackers receive too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from centerclip.atomic import write_atomically
from centerclip.training.trackers import Tracker

__all__ = ["Curves", "TrainingProgress"]


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """The state of a run after a step.

    Attributes:
        loss: loss of the step's batch.
        learning_rate: rate of the pretrained weights.
        gradient_norm: norm before clipping.
        logit_scale: factor on the similarities.
        videos_per_second: mean since the command was started.
        recall: text-to-video R@1 in percent, if the model was validated after this step.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    gradient_norm: float
    logit_scale: float
    videos_per_second: float
    recall: float | None = None


class Curves:
    """Writes `progress.jsonl`, and passes each step to the trackers. Close it at the end.

    Args:
        folder: output folder of the run.
        step: step that the run continues from; entries of later steps are removed.
        trackers: closed with it.
    """

    def __init__(self, folder: Path, *, step: int, trackers: Sequence[Tracker] = ()) -> None:
        self._path = folder / "progress.jsonl"
        self._trackers = trackers
        _cut(self._path, step)

    def add(self, progress: TrainingProgress) -> None:
        """Log one step."""
        values = asdict(progress)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
        del values["step"], values["steps"]
        known = {name: value for name, value in values.items() if value is not None}
        for tracker in self._trackers:
            tracker.log(progress.step, known)

    def close(self) -> None:
        """Close the trackers."""
        for tracker in self._trackers:
            tracker.close()


def _cut(path: Path, step: int) -> None:
    """Keep the lines of steps up to `step`; drop later ones, and one that a crash cut off."""
    if path.exists():
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
        write_atomically(path, "".join(f"{line}\n" for line in kept))


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
