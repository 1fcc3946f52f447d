"""The training recipe: every key, its default and its bounds, which `docs/recipes.md` lists.

Unknown keys are errors, so a misspelled key is never ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Architecture(_Section):
    """A CLIP with random weights: sizes of both towers and of a tokenizer fitted to the training captions."""

    image_size: int = Field(112, ge=16)
    """Height and width of a frame in pixels."""
    patch_size: int = Field(16, ge=2)
    """Height and width of a patch in pixels."""
    vision_width: int = Field(128, ge=16)
    """Width of the vision tower's tokens."""
    vision_blocks: int = Field(12, ge=1)
    """Transformer blocks of the vision tower."""
    vision_heads: int = Field(4, ge=1)
    """Attention heads per block of the vision tower."""
    vision_mlp_width: int = Field(256, ge=16)
    """Hidden width of the vision tower's MLPs."""
    text_width: int = Field(128, ge=16)
    """Width of the text tower's tokens."""
    text_blocks: int = Field(3, ge=1)
    """Transformer blocks of the text tower."""
    text_heads: int = Field(4, ge=1)
    """Attention heads per block of the text tower."""
    text_mlp_width: int = Field(512, ge=16)
    """Hidden width of the text tower's MLPs."""
    embed_size: int = Field(128, ge=8)
    """Width of the embeddings."""
    vocabulary: int = Field(1024, ge=300)
    """Maximum number of different text tokens."""
    context_length: int = Field(32, ge=8)
    """Maximum number of tokens of a text."""


class Lora(_Section):
    """Low-rank adapters for linear layers of both towers. The layers' own weights are frozen.

    The logit scale and the temporal embedding are trained too. In `best` the adapters are merged into the
    weights.

    Source: LoRA (arXiv 2106.09685); implemented by `peft`.
    """

    rank: int = Field(8, ge=1)
    """Rank of the adapters."""
    alpha: float = Field(16.0, gt=0)
    """Scale of the adapters, divided by the rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout before the adapters."""
    targets: tuple[str, ...] = Field(("q_proj", "k_proj", "v_proj", "out_proj"), min_length=1)
    """Names of the linear layers that get an adapter."""


class ModelSection(_Section):
    """The model to train: one to start from, or an architecture with random weights."""

    start: str | None = None
    """A hub name, a folder, or a checkpoint file of OpenAI, open_clip, PE-Core, CLIP4Clip or CenterCLIP."""
    tokenizer: str | None = None
    """For a checkpoint file without one: the tokenizer's folder or hub name."""
    activation: Literal["gelu", "quick_gelu"] | None = None
    """Activation function, for a checkpoint file that doesn't name it."""
    backbone: str | None = None
    """Your own adapter for an unsupported family of models, as `module:Class`."""
    architecture: Architecture | None = None
    """Sizes of a model with random weights, instead of `start`."""
    schedule: str = "none"
    """Token schedule: `none`, stages such as `B6-4,49`, or `fast`, `balanced` or `best`."""
    reducer: str | dict[str, Any] = "kmedoids"
    """How tokens are reduced: a name, or a table of its `name` and options."""
    frames: int | None = Field(None, ge=1)
    """Frames per video. By default as in the data set's protocol; without one, as in `start`, or 12."""
    temporal: bool = False
    """Add a temporal embedding, which starts at zero."""
    lora: Lora | None = None
    """Train adapters instead of all weights."""

    @field_validator("schedule")
    @classmethod
    def _is_schedule(cls, schedule: str) -> str:
        TokenSchedule.parse(schedule)
        return schedule

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.start is None) == (self.architecture is None):
            raise ValueError("give either start (a model's name or folder) or [model.architecture], not both")
        if self.start is None and (self.tokenizer or self.activation or self.backbone):
            raise ValueError(
                "tokenizer, activation and backbone go with start; [model.architecture] has its own"
            )
        return self


class DataSection(_Section):
    """The data set, where its files are, and whether decoded frames are cached on disk.

    The model with the highest recall on `val_split` is kept as the best. If a data set has no split for that,
    `val_videos` holds out videos of the training split. A split that results are reported on is refused.
    """

    dataset: str
    """Name of a data set, or `module:object` for your own."""
    videos: Path | None = None
    """Folder of the videos."""
    frames: str | None = None
    """Table of frames to read instead of `videos`, from `centerclip pack`: `x.lance`, `s3://bucket/x.lance`."""
    annotations: Path | None = None
    """Folder of the annotation files; for `manifest`, the file. By default `videos`."""
    train_split: str = "train"
    """Split to train on."""
    val_split: str = "val"
    """Split to choose the model by."""
    val_videos: int | None = Field(None, ge=1)
    """Videos of the training split to hold out, used instead of `val_split`."""
    allow_missing: bool = False
    """Leave out videos that are missing or can't be decoded."""
    cache: Path | None = None
    """Folder that keeps decoded frames, so that each video is decoded once."""
    cached_frames: int = Field(12, ge=1)
    """Frames per video to keep in the cache, at least the model's."""
    workers: int = Field(2, ge=1)
    """Threads that decode, or read the table of frames."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.videos is None and self.frames is None:
            raise ValueError("give videos (a folder), or frames (a table that centerclip pack wrote)")
        if self.frames is not None and self.cache is not None:
            raise ValueError("frames of a table aren't cached: remove cache")
        if self.videos is None and self.annotations is None:
            raise ValueError("without videos, give annotations: the folder or file with the captions")
        return self


class OptimizationSection(_Section):
    """AdamW with a cosine schedule; the defaults are the paper's.

    Source: CenterCLIP (arXiv 2205.00823) section 4.2.
    """

    steps: int | None = Field(None, ge=1)
    """Length of the run in batches."""
    epochs: float | None = Field(None, gt=0)
    """Length of the run in passes over all captions, instead of `steps`."""
    batch_size: int = Field(128, ge=2)
    """Videos per batch, summed over all processes."""
    chunks: int = Field(1, ge=1)
    """Chunks per batch, computed one after the other; more need less memory, with the same gradient."""
    checkpointing: bool = False
    """Recompute activations for the gradient, which takes less memory and more time."""
    learning_rate: float = Field(5e-6, gt=0)
    """Highest learning rate."""
    temporal_learning_rate: float = Field(1e-3, gt=0)
    """Highest learning rate of the temporal embedding, which starts at zero."""
    weight_decay: float = Field(0.2, ge=0)
    """Weight decay of AdamW, applied to matrices only."""
    betas: tuple[float, float] = (0.9, 0.98)
    """AdamW's betas."""
    eps: float = Field(1e-6, gt=0)
    """AdamW's epsilon."""
    warmup: float = Field(0.1, ge=0, le=1)
    """Fraction of the run in which the learning rate rises."""
    clip_norm: float = Field(1.0, gt=0)
    """Maximum norm of the gradient; a larger one is scaled down."""
    ema: float | None = Field(None, gt=0, lt=1)
    """Decay of a moving average of the weights; if set, the average is validated and saved as best."""
    frozen_blocks: int = Field(0, ge=0)
    """Number of first blocks to freeze in both towers, along with the embeddings."""
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    """`auto` is bfloat16 where the device supports it natively."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs, not both")
        return self


class TrainConfig(_Section):
    """A whole training run."""

    output: Path
    """Folder for the checkpoint, the best model in `best` and the last one in `last`."""
    seed: int = 0
    """Seed of everything random: order, captions, frames, new weights, dropout."""
    checkpoint_every: int = Field(200, ge=1)
    """Steps between checkpoints."""
    validate_every: int = Field(200, ge=1)
    """Steps between validations."""
    trackers: tuple[str, ...] = ()
    """Where else to show curves: `tensorboard`, `wandb(project=mine)`, or your own `module:Class`."""
    model: ModelSection
    """The model to train."""
    data: DataSection
    """The data to train on and to choose the best model by."""
    optimization: OptimizationSection
    """Length of the run, batches and optimizer."""


def load_config(path: str | Path, *, settings: Iterable[str] = (), **overrides: Any) -> TrainConfig:
    """Read a recipe.

    Args:
        path: a TOML file.
        settings: changes such as `optimization.steps=100`; an empty value removes the key.
        overrides: top-level values that replace the file's, such as `output`.

    Raises:
        ConfigError: the file is missing or not TOML, has unknown keys or invalid values, or a setting isn't
            of that form; all are named.
    """
    return read_config(path, TrainConfig, settings=settings, **overrides)
