"""A rendered world of a few videos, and a recipe for a model small enough to train in a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from centerclip.lab.toy_world import render_toy_world
from centerclip.training.config import TrainConfig

Recipe = Callable[..., TrainConfig]

ARCHITECTURE = {
    "image_size": 32,
    "patch_size": 16,
    "vision_width": 32,
    "vision_blocks": 2,
    "vision_heads": 2,
    "vision_mlp_width": 32,
    "text_width": 32,
    "text_blocks": 1,
    "text_heads": 2,
    "embed_size": 16,
    "vocabulary": 400,
}


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_toy_world(tmp_path_factory.mktemp("world"), train=8, val=4, test=4, workers=1)


@pytest.fixture
def recipe(world: Path) -> Recipe:
    """Make a recipe: `recipe(output, steps=3, model={"temporal": True}, data={...}, trackers=[...])`."""

    def make(output: Path, *, model: Any = None, data: Any = None, **changes: Any) -> TrainConfig:
        top = {key: changes.pop(key) for key in list(changes) if key in TrainConfig.model_fields}
        optimization = {"steps": 6, "batch_size": 4, "learning_rate": 3e-3, "warmup": 0, **changes}
        if "epochs" in changes:
            del optimization["steps"]
        return TrainConfig.model_validate(
            {
                "output": output,
                "checkpoint_every": 2,
                "validate_every": 100,
                "model": {"frames": 3, "schedule": "B1-1,6", "architecture": ARCHITECTURE, **(model or {})},
                "data": {
                    "dataset": "toy-world",
                    "videos": world,
                    "cache": world / "cache",
                    "cached_frames": 4,
                    **(data or {}),
                },
                "optimization": optimization,
                **top,
            }
        )

    return make
