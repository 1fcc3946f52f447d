"""What the studies of toy size share."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from centerclip.lab.bench.subjects import random_subject
from centerclip.lab.study import run
from centerclip.lab.study.costs import measure_costs


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model to start from, which also receives the toy world and the cache."""
    folder = tmp_path_factory.mktemp("shared")
    random_subject("tiny").model.with_(schedule="none", frames=4).save_pretrained(folder / "start")
    return folder


@pytest.fixture(autouse=True)
def one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time every variant once."""
    monkeypatch.setattr(run, "measure_costs", partial(measure_costs, rounds=1))
