"""The training recipe: every knob, its default, and its bounds.

Unknown keys are errors, so a misspelt knob never passes silently. Knows no tensors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from centerclip.schedule import TokenSchedule
from centerclip.training.recipes import read_config

__all__ = [
    "Architecture",
    "DataSection",
    "Lora",
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


class Lora(_Section):
    """Low-rank adapters beside the linear layers named `targets`, in both towers; what is below is frozen.

    The logit scale and a temporal embedding are trained all the same. `best` holds plain weights, with
    the adapters merged in.

    Source: LoRA (arXiv 2106.09685); the work is done by `peft`.
    """

    rank: int = Field(8, ge=1)
    alpha: float = Field(16.0, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = Field(("q_proj", "k_proj", "v_proj", "out_proj"), min_length=1)


class ModelSection(_Section):
    """What is trained: a model to start from, or an architecture to start from nothing.

    `start` is whatever `CenterCLIP.from_pretrained` loads: a hub name, a folder, or a checkpoint file of
    OpenAI, open_clip, CLIP4Clip or CenterCLIP, for which `tokenizer` and `activation` may be needed.
    """

    start: str | None = None
    tokenizer: str | None = None
    activation: Literal["gelu", "quick_gelu"] | None = None
    architecture: Architecture | None = None
    schedule: str = "none"
    reducer: dict[str, Any] = {"name": "kmedoids"}
    frames: int = Field(12, ge=1)
    temporal: bool = False
    lora: Lora | None = None

    @field_validator("schedule")
    @classmethod
    def _is_schedule(cls, schedule: str) -> str:
        TokenSchedule.parse(schedule)
        return schedule

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.start is None) == (self.architecture is None):
            raise ValueError("give either start (a model's name or folder) or [model.architecture], not both")
        if self.start is None and (self.tokenizer or self.activation):
            raise ValueError("tokenizer and activation go with start; [model.architecture] makes its own")
        return self


class DataSection(_Section):
    """Which data set, where its files are, and whether decoded frames are kept on disk.

    The model is chosen on `val_split`, or on `val_videos` videos held out of the training split where a
    set has no split for that; never on a test split.
    """

    dataset: str
    videos: Path
    annotations: Path | None = None
    train_split: str = "train"
    val_split: str = "val"
    val_videos: int | None = Field(None, ge=1)
    allow_missing: bool = False
    cache: Path | None = None
    cached_frames: int = Field(12, ge=1)
    workers: int = Field(2, ge=1)


class OptimizationSection(_Section):
    """AdamW with a cosine schedule; the defaults are the paper's.

    `batch_size` is that of all processes together. An epoch is as many pairs as there are captions.
    `temporal_learning_rate` is for the temporal embedding, which starts at zero beside pretrained weights.
    `frozen_blocks` are the first ones of both towers, their embeddings included.

    Source: CenterCLIP (arXiv 2205.00823) section 4.2.
    """

    steps: int | None = Field(None, ge=1)
    epochs: float | None = Field(None, gt=0)
    batch_size: int = Field(128, ge=2)
    accumulate: int = Field(1, ge=1)
    checkpointing: bool = False
    learning_rate: float = Field(5e-6, gt=0)
    temporal_learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.2, ge=0)
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = Field(1e-6, gt=0)
    warmup: float = Field(0.1, ge=0, le=1)
    clip_norm: float = Field(1.0, gt=0)
    ema: float | None = Field(None, gt=0, lt=1)
    frozen_blocks: int = Field(0, ge=0)
    precision: Literal["float32", "bfloat16", "auto"] = "float32"

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs, not both")
        return self

    def total_steps(self, captions: int) -> int:
        """Steps of the whole run, for a training split of so many captions."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return max(1, round(self.epochs * captions / self.batch_size))


class TrainConfig(_Section):
    """A whole run. `output` receives checkpoints while it goes on and the best model at the end."""

    output: Path
    seed: int = 0
    checkpoint_every: int = Field(200, ge=1)
    validate_every: int = Field(200, ge=1)
    tensorboard: bool = False
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
    return read_config(path, TrainConfig, **overrides)
