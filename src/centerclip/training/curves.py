"""The log of a run: one line of JSON per step, and optionally curves for TensorBoard."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from centerclip.atomic import write_atomically
from centerclip.errors import ConfigError

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
    """Writes `progress.jsonl` and, if `tensorboard` is set, the folder `tensorboard`. Close it at the end.

    Args:
        folder: output folder of the run.
        step: step that the run continues from; entries of later steps are removed.
        tensorboard: also write curves for TensorBoard.

    Raises:
        ConfigError: `tensorboard` is set, but TensorBoard is not installed.
    """

    def __init__(self, folder: Path, *, step: int, tensorboard: bool) -> None:
        self._path = folder / "progress.jsonl"
        self._writer: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise ConfigError(
                    "tensorboard = true needs TensorBoard: pip install 'centerclip[train]'"
                ) from error
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        _cut(self._path, step)

    def add(self, progress: TrainingProgress) -> None:
        """Log one step."""
        values = asdict(progress)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
        if self._writer is None:
            return
        del values["step"], values["steps"]
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, progress.step)

    def close(self) -> None:
        """Flush and close TensorBoard's writer."""
        if self._writer is not None:
            self._writer.close()


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
