"""Reads `open_clip_config.json`, which tells what the weights beside it do not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from centerclip.errors import CheckpointError
from centerclip.model.preprocessing import CLIP_MEAN, CLIP_STD
from centerclip.model.registry import OPEN_CLIP_CONFIG

__all__ = ["OpenClipConfig", "read_open_clip_config"]

# What it may say; the rest of this is told by the weights' shapes. Any other setting is refused, because it
# could change the computation unseen.
_KNOWN = {
    "": {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg"},
    "vision_cfg": {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size", "patch_dropout"},
    "text_cfg": {"context_length", "vocab_size", "width", "heads", "layers"},
}


@dataclass(frozen=True, slots=True)
class OpenClipConfig:
    """What open_clip's configuration adds to a file of weights; the defaults stand where there is none.

    Attributes:
        activation: `gelu` or `quick_gelu`.
        head_width: of the vision tower; None where the tower's width tells.
        text_heads: None for one per 64 of width.
        mean, std, interpolation: as in `Preprocessing`.
    """

    activation: str = "gelu"
    head_width: int | None = None
    text_heads: int | None = None
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    interpolation: str = "bicubic"


def read_open_clip_config(folder: Path) -> OpenClipConfig:
    """Read a folder's `open_clip_config.json`, if there is one.

    Raises:
        CheckpointError: it is damaged, or sets what is not supported.
    """
    path = folder / OPEN_CLIP_CONFIG
    if not path.is_file():
        return OpenClipConfig()
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        model, preprocess = content["model_cfg"], content.get("preprocess_cfg", {})
        vision, text = model["vision_cfg"], model["text_cfg"]
        for part, settings in (("", model), ("vision_cfg", vision), ("text_cfg", text)):
            for key in sorted(settings.keys() - _KNOWN[part]):
                raise CheckpointError(f"{path} sets {f'{part}.{key}'.lstrip('.')}, which is not supported")
        return OpenClipConfig(
            activation="quick_gelu" if model.get("quick_gelu") else "gelu",
            head_width=vision.get("head_width"),
            text_heads=text.get("heads"),
            mean=_triple(preprocess.get("mean", CLIP_MEAN)),
            std=_triple(preprocess.get("std", CLIP_STD)),
            interpolation=str(preprocess.get("interpolation", "bicubic")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} can't be read: {error!r}") from error


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
