"""The model that a recipe starts from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from centerclip.datasets import Caption, Dataset
from centerclip.model import CenterCLIP
from centerclip.records import Item
from centerclip.training.building import build_model

TRAINING = Dataset("set", "train", (Item(Path("a.mp4"), id="a"),), (Caption("a cat", 0),))


def test_frames_come_from_the_recipe_or_the_data_set_or_the_default(recipe: Any, tmp_path: Path) -> None:
    stated, free = recipe(tmp_path), recipe(tmp_path, model={"frames": None})
    assert build_model(stated, replace(TRAINING, frames=5)).frames == 3
    assert build_model(free, replace(TRAINING, frames=5)).frames == 5
    assert build_model(free, TRAINING).frames == 12


def test_a_reducer_is_a_name_or_a_table(recipe: Any, tmp_path: Path) -> None:
    assert build_model(recipe(tmp_path, model={"reducer": "pool"}), TRAINING).reducer.name == "pool"
    table = {"name": "spectral", "sigma": 1.5}
    reducer: Any = build_model(recipe(tmp_path, model={"reducer": table}), TRAINING).reducer
    assert (reducer.name, reducer.sigma) == ("spectral", 1.5)


def test_a_custom_backbone_is_passed_on(recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    made = build_model(recipe(tmp_path), TRAINING)
    monkeypatch.setattr(CenterCLIP, "from_pretrained", lambda name, **options: asked.append(options) or made)
    start = {"architecture": None, "start": "their/model", "frames": None}
    build_model(recipe(tmp_path, model=start), replace(TRAINING, frames=60))
    build_model(recipe(tmp_path, model={**start, "backbone": "mine:Backbone"}), TRAINING)
    assert [options.get("backbone") for options in asked] == [None, "mine:Backbone"]
    assert [options["frames"] for options in asked] == [60, None]
