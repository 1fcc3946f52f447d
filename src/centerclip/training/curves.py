"""How a run goes, step by step: a line of JSON each, and curves for TensorBoard where they are asked for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from centerclip.errors import ConfigError

__all__ = ["Curves", "Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands after a step.

    Attributes:
        loss: of the step's batch.
        learning_rate: of the pretrained weights.
        gradient_norm: before it was clipped.
        logit_scale: the factor on the similarities.
        videos_per_second: since the command was started.
        recall: text-to-video R@1 on validation, in percent, after a step that was followed by one.
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
    """Writes `progress.jsonl` and, if asked to, the folder `tensorboard`; close it in the end.

    Args:
        folder: the run's.
        step: what the run goes on from; what was written of later steps is taken back.
        tensorboard: whether to draw curves.

    Raises:
        ConfigError: curves are asked for and TensorBoard is not installed.
    """

    def __init__(self, folder: Path, *, step: int, tensorboard: bool) -> None:
        self._path = folder / "progress.jsonl"
        self._writer = _writer(folder / "tensorboard", step) if tensorboard else None
        _cut(self._path, step)

    def add(self, progress: Progress) -> None:
        """Take down one step."""
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
        """Write out what TensorBoard's writer still holds."""
        if self._writer is not None:
            self._writer.close()


def _writer(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError("tensorboard = true needs TensorBoard: pip install 'centerclip[train]'") from error
    return SummaryWriter(str(folder), purge_step=step + 1)


def _cut(path: Path, step: int) -> None:
    """Keep the lines of steps up to `step`; one that was cut off by a crash goes with the others."""
    if not path.exists():
        return
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
    temporary = path.with_name(path.name + ".part")
    temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    temporary.replace(path)


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
