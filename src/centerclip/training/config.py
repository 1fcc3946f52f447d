"""The training recipe as a TOML file: every knob, its default, and its bounds.

Unknown keys are errors, so a misspelt knob never passes silently. Knows no tensors.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from centerclip.errors import ConfigError

__all__ = [
    "Architecture",
    "DataSection",
    "ModelSection",
    "OptimizationSection",
    "TrainConfig",
    "load_config",
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Architecture(_Section):
    """A CLIP made from nothing: the sizes of both towers and of a tokenizer trained on the captions."""

    image_size: int = Field(112, ge=16)
    patch_size: int = Field(16, ge=2)
    vision_width: int = Field(128, ge=16)
    vision_blocks: int = Field(12, ge=1)
    vision_heads: int = Field(4, ge=1)
    vision_mlp_width: int = Field(256, ge=16)
    text_width: int = Field(128, ge=16)
    text_blocks: int = Field(3, ge=1)
    text_heads: int = Field(4, ge=1)
    text_mlp_width: int = Field(512, ge=16)
    embed_size: int = Field(128, ge=8)
    vocabulary: int = Field(1024, ge=300)
    context_length: int = Field(32, ge=8)


class ModelSection(_Section):
    """What is trained: a model to start from, or an architecture to start from nothing."""

    start: str | None = None
    architecture: Architecture | None = None
    schedule: str = "none"
    reducer: dict[str, Any] = {"name": "kmedoids"}
    frames: int = Field(12, ge=1)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.start is None) == (self.architecture is None):
            raise ValueError("give either start (a model's name or folder) or [model.architecture], not both")
        return self


class DataSection(_Section):
    """Which data set, where its files are, and whether decoded frames are kept on disk."""

    dataset: str
    videos: Path
    annotations: Path | None = None
    train_split: str = "train"
    val_split: str = "val"
    allow_missing: bool = False
    cache: Path | None = None
    cached_frames: int = Field(12, ge=1)
    workers: int = Field(2, ge=1)


class OptimizationSection(_Section):
    """AdamW with a cosine schedule; the defaults are the paper's (`algorithm` section 6)."""

    steps: int = Field(ge=1)
    batch_size: int = Field(128, ge=2)
    learning_rate: float = Field(5e-6, gt=0)
    weight_decay: float = Field(0.2, ge=0)
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = Field(1e-6, gt=0)
    warmup: float = Field(0.1, ge=0, le=1)
    clip_norm: float = Field(1.0, gt=0)
    precision: Literal["float32", "bfloat16"] = "float32"


class TrainConfig(_Section):
    """A whole run. `output` receives checkpoints while it goes on and the best model at the end."""

    output: Path
    seed: int = 0
    checkpoint_every: int = Field(200, ge=1)
    validate_every: int = Field(200, ge=1)
    model: ModelSection
    data: DataSection
    optimization: OptimizationSection


def load_config(path: str | Path, **overrides: Any) -> TrainConfig:
    """Read a recipe.

    Args:
        path: a TOML file.
        overrides: top-level values that replace the file's, such as `output`.

    Raises:
        ConfigError: no such file, not TOML, or keys and values outside the recipe; each is named.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}); give a TOML recipe's path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    try:
        return TrainConfig.model_validate({**values, **overrides})
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'recipe'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise ConfigError(f"{path}: {faults}") from error
