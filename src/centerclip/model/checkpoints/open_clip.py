"""Reads `open_clip_config.json`, for what the weights don't determine."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from centerclip.errors import CheckpointError
from centerclip.model.reading import read_json, reading
from centerclip.model.registry import OPEN_CLIP_CONFIG
from centerclip.preprocessing import Preprocessing

__all__ = ["OpenClipConfig", "read_open_clip_config", "read_preprocess"]

# Supported settings; most follow from the weights' shapes. Others are rejected, because they could silently
# change the computation.
_KNOWN = {
    "": {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg"},
    "vision_cfg": {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size", "patch_dropout"},
    "text_cfg": {"context_length", "vocab_size", "width", "heads", "layers"},
}

_RESIZE = {"shortest": "crop", "squash": "squash"}


@dataclass(frozen=True, slots=True)
class OpenClipConfig:
    """Settings of an open_clip model that its weights don't determine.

    Attributes:
        activation: `gelu` or `quick_gelu`.
        head_width: of the vision tower; None to derive it from the width.
        text_heads: None for one per 64 of width.
        preprocess: values for fields of `Preprocessing`.
    """

    activation: str = "gelu"
    head_width: int | None = None
    text_heads: int | None = None
    preprocess: dict[str, Any] = field(default_factory=dict)


def read_open_clip_config(folder: Path) -> OpenClipConfig:
    """Read a folder's `open_clip_config.json`; defaults if there is none.

    Raises:
        CheckpointError: the file is damaged or has unsupported settings.
    """
    path = folder / OPEN_CLIP_CONFIG
    if not path.is_file():
        return OpenClipConfig()
    with reading(path, "download the model again", CheckpointError):
        content = read_json(path, missing="", kind=CheckpointError)
        model = content["model_cfg"]
        vision, text = model["vision_cfg"], model["text_cfg"]
        for part, settings in (("", model), ("vision_cfg", vision), ("text_cfg", text)):
            for key in sorted(settings.keys() - _KNOWN[part]):
                name = f"{part}.{key}".lstrip(".")
                raise CheckpointError(f"{path} sets {name}, which is not supported: choose another model")
        return OpenClipConfig(
            activation="quick_gelu" if model.get("quick_gelu") else "gelu",
            head_width=_count(vision, "head_width"),
            text_heads=_count(text, "heads"),
            preprocess=read_preprocess(content.get("preprocess_cfg", {}), path),
        )


def _count(settings: dict[str, Any], key: str) -> int | None:
    count = settings.get(key)
    if count is not None and (type(count) is not int or count < 1):
        raise ValueError(f"{key} is {count!r}, but must be a whole number above 0")
    return count


def read_preprocess(saved: dict[str, Any], path: Path) -> dict[str, Any]:
    """Read `preprocess_cfg` into values for fields of `Preprocessing`; raises if it isn't supported."""
    saved = {key: value for key, value in saved.items() if value is not None}
    mode = saved.get("resize_mode", "shortest")
    if mode not in _RESIZE:
        raise CheckpointError(
            f"{path} sets resize_mode {mode!r}, but only {' and '.join(_RESIZE)} are supported, as frames "
            "are never padded: choose another model"
        )
    fields: dict[str, Any] = {"resize": _RESIZE[mode]}
    for key in saved.keys() & {"mean", "std"}:
        red, green, blue = saved[key] if isinstance(saved[key], list) else [saved[key]] * 3
        fields[key] = float(red), float(green), float(blue)
    if saved.get("interpolation", "random") != "random":  # means bicubic in inference
        fields["interpolation"] = saved["interpolation"]
    Preprocessing((1, 1), **fields)  # checks them
    return fields
