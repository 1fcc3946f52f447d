"""Trackers receive the curves: TensorBoard in test_loop.py, here wandb and one of our own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from centerclip.errors import ConfigError
from centerclip.training.loop import train
from centerclip.training.trackers import TrackedRun, Tracker, open_trackers

LOGGED: list[tuple[str, int, Mapping[str, float]]] = []


class Listing(Tracker):
    """Keeps what it is told."""

    def __init__(self, run: TrackedRun, label: str = "") -> None:
        self.label = label
        LOGGED.append((label, run.step, {"seed": run.recipe["seed"]}))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        LOGGED.append((self.label, step, values))

    def close(self) -> None:
        LOGGED.append((self.label, -1, {}))


def test_a_tracker_of_ones_own_receives_each_step_and_may_come_later(recipe: Any, tmp_path: Path) -> None:
    LOGGED.clear()
    train(recipe(tmp_path), should_stop=lambda: True)  # after the first step, without a tracker
    assert not LOGGED
    train(recipe(tmp_path, trackers=[f"{__name__}:Listing(label=mine)"]))
    assert [(label, step) for label, step, _ in LOGGED] == [("mine", s) for s in (1, 2, 3, 4, 5, 6, -1)]
    assert LOGGED[0][2] == {"seed": 0}
    *others, last, _ = [values for _, _, values in LOGGED[1:]]
    names = {"loss", "learning_rate", "gradient_norm", "logit_scale", "videos_per_second"}
    assert all(values.keys() == names for values in others)
    assert last.keys() == {*names, "recall"}


def test_a_run_that_goes_on_is_the_same_one_in_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def init(**options: Any) -> Any:
        calls.append(options)
        log = lambda values, step: calls.append((step, values))  # noqa: E731
        return SimpleNamespace(log=log, finish=lambda: calls.append("finished"))

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init, Error=RuntimeError))
    for step in (0, 4, 0):
        run = TrackedRun(tmp_path, step, {"seed": 7})
        (tracker,) = open_trackers(["wandb(project=mine, mode=offline)"], run)
        tracker.log(step + 1, {"loss": 0.5})
        tracker.close()
    first, second, third = calls[::3]
    assert first["id"] == second["id"] != third["id"]  # the third is a new run in the same folder
    assert {key: first[key] for key in ("project", "mode", "resume")} == {
        "project": "mine", "mode": "offline", "resume": "allow"
    }  # fmt: skip
    assert (first["name"], first["config"], first["dir"]) == (tmp_path.name, {"seed": 7}, str(tmp_path))
    assert calls[1:3] == [(1, {"loss": 0.5}), "finished"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tensorbord", "tracker 'tensorbord' is unknown: choose one of tensorboard, wandb"),
        (f"{__name__}:Listing(colour=red)", "colour"),
        (f"{__name__}:TrackedRun", "is not a subclass of Tracker"),
        ("wandb", "pip install wandb"),
    ],
)
def test_trackers_that_cannot_be_made_are_named(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=message):
        open_trackers([name], TrackedRun(tmp_path, 0, {}))
