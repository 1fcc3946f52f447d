"""Packs the frames that a recipe needs into a table, so that its videos needn't lie where it is trained."""

from __future__ import annotations

from collections.abc import Callable

from centerclip.embedding.packed import pack_frames
from centerclip.errors import ConfigError
from centerclip.training.building import build_model
from centerclip.training.config import TrainConfig
from centerclip.training.data import load_data

__all__ = ["pack"]


def pack(config: TrainConfig, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Write the frames of a recipe's training and validation videos into the table `data.frames`.

    Videos that the table has are skipped. Each gets as many frames as a cache would keep,
    `data.cached_frames` or the model's number, resized for the model.

    Args:
        config: the recipe, with `data.videos` and `data.frames`.
        progress: called with (videos done, videos in total).

    Returns:
        The number of added videos.

    Raises:
        ConfigError: the recipe lacks one of the two, or the table is for another model.
        DatasetError, VideoError: files are missing, malformed or can't be decoded.
    """
    section = config.data
    if section.videos is None or section.frames is None:
        raise ConfigError(
            "packing needs data.videos, the folder of the videos, and data.frames, the table to write"
        )
    data = load_data(section.model_copy(update={"frames": None}))
    model = build_model(config, data.training)
    return pack_frames(
        section.frames,
        [*data.training.videos, *data.validation.videos],
        model.preprocessing,
        kept=max(section.cached_frames, model.frames),
        workers=section.workers,
        progress=progress,
    )
