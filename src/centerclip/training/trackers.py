"""Where a run's curves are shown: TensorBoard, Weights & Biases, or a class of your own.

`progress.jsonl` is always written; trackers come in addition and never change a run.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from centerclip.errors import ConfigError
from centerclip.naming import parse_name, resolve

__all__ = ["TRACKERS", "TrackedRun", "Tracker", "open_trackers"]

TRACKERS = {
    "tensorboard": "centerclip.training.trackers:TensorBoard",
    "wandb": "centerclip.training.trackers:Wandb",
}
"""Built-in trackers by name."""


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told about the run.

    Attributes:
        folder: output folder of the run, where a tracker may keep files.
        step: step that the run continues from, 0 for a new one. Steps after it may come a second time, with
            equal values.
        recipe: all keys of the recipe.
    """

    folder: Path
    step: int
    recipe: Mapping[str, Any]


class Tracker:
    """Receives the curves of a run; one is made in the first process each time the run is started.

    Subclass it and name the class as `module:Class(option=value)`. The constructor is called with the run and
    the options.
    """

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Receive the values after 1-based `step`, such as `loss`, and `recall` after a validation."""
        raise NotImplementedError

    def close(self) -> None:
        """Finish; called once, also after an error."""


class TensorBoard(Tracker):
    """Writes the folder `tensorboard`."""

    def __init__(self, run: TrackedRun) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "the tracker tensorboard needs TensorBoard: pip install 'centerclip[train]'"
            ) from error
        self._writer: Any = SummaryWriter(str(run.folder / "tensorboard"), purge_step=run.step + 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class Wandb(Tracker):
    """Logs to Weights & Biases, or into the folder `wandb` with `wandb(mode=offline)`.

    The options are those of `wandb.init`, such as `project`. A run that continues is the same one there: the
    file `wandb-id` remembers it.
    """

    def __init__(self, run: TrackedRun, **options: Any) -> None:
        try:
            import wandb
        except ImportError as error:
            raise ConfigError("the tracker wandb needs a package: pip install wandb") from error
        remembered = run.folder / "wandb-id"
        if not (run.step and remembered.exists()):
            remembered.write_text(uuid.uuid4().hex, encoding="utf-8")
        known = {"project": "centerclip", "name": run.folder.name, "config": dict(run.recipe)}
        fixed = {"dir": str(run.folder), "id": remembered.read_text(encoding="utf-8"), "resume": "allow"}
        try:
            self._run: Any = wandb.init(**{**known, **options, **fixed})
        except wandb.Error as error:
            raise ConfigError(
                f"wandb can't be started ({error}): run `wandb login`, or use wandb(mode=offline)"
            ) from error

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


def open_trackers(names: Iterable[str], run: TrackedRun) -> list[Tracker]:
    """Make trackers by their names with options, such as `wandb(project=mine)`.

    Raises:
        ConfigError: an unknown name or option, or a missing package.
    """
    trackers: list[Tracker] = []
    for text in names:
        name, options = parse_name(text)
        made: Any = resolve(name, TRACKERS, Tracker, "tracker")
        try:
            trackers.append(made(run, **options))
        except TypeError as error:
            raise ConfigError(f"tracker {name} can't be made with {options}: {error}") from error
    return trackers
