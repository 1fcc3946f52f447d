"""Reads `open_clip_config.json`, for what the weights don't determine."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.open_clip_siglip import SiglipSettings, read_siglip_settings
from centerclip.model.reading import read_json, reading
from centerclip.model.registry import OPEN_CLIP_CONFIG
from centerclip.model.unsupported import open_clip_needs
from centerclip.preprocessing import Preprocessing

__all__ = ["OpenClipConfig", "read_open_clip_config", "read_preprocess"]

# Supported settings; most follow from the weights' shapes. Others are rejected, because they could silently
# change the computation.
_KNOWN = {
    "": {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg"},
    "vision_cfg": {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size", "patch_dropout"},
    "text_cfg": {
        *("context_length", "vocab_size", "width", "heads", "layers"),
        *("hf_tokenizer_name", "pool_type", "eos_id"),
    },
}

_RESIZE = {"shortest": "crop", "squash": "squash"}


@dataclass(frozen=True, slots=True)
class OpenClipConfig:
    """Settings of an open_clip model that its weights don't determine.

    Attributes:
        activation: `gelu` or `quick_gelu`.
        head_width: of the vision tower; None to derive it from the width.
        text_heads: None for one per 64 of width.
        end_token: id of the end of a sentence, as MetaCLIP 2 has one; None for the highest of the vocabulary.
        preprocess: values for fields of `Preprocessing`.
        siglip: settings of a SigLIP; None for a CLIP.
    """

    activation: str = "gelu"
    head_width: int | None = None
    text_heads: int | None = None
    end_token: int | None = None
    preprocess: dict[str, Any] = field(default_factory=dict)
    siglip: SiglipSettings | None = None


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
        preprocess = read_preprocess(content.get("preprocess_cfg", {}), path)
        if siglip := read_siglip_settings(path, model):
            return OpenClipConfig(preprocess=preprocess, siglip=siglip)
        if needs := open_clip_needs(model):
            raise CheckpointError(f"{path} describes a model that isn't supported: {needs}")
        for part, settings in (("", model), ("vision_cfg", vision), ("text_cfg", text)):
            for key in sorted(settings.keys() - _KNOWN[part]):
                name = f"{part}.{key}".lstrip(".")
                raise CheckpointError(f"{path} sets {name}, which is not supported: choose another model")
        return OpenClipConfig(
            activation="quick_gelu" if model.get("quick_gelu") else "gelu",
            head_width=_count(vision, "head_width"),
            text_heads=_count(text, "heads"),
            end_token=_end_token(text, path),
            preprocess=preprocess,
        )


def _count(settings: dict[str, Any], key: str) -> int | None:
    count = settings.get(key)
    if count is not None and (type(count) is not int or count < 1):
        raise ValueError(f"{key} is {count!r}, but must be a whole number above 0")
    return count


def _end_token(text: dict[str, Any], path: Path) -> int | None:
    """Read the end token of a vocabulary other than CLIP's."""
    settings = {key: text[key] for key in ("pool_type", "eos_id", "hf_tokenizer_name") if key in text}
    if not settings:
        return None
    if text.get("pool_type") != "eos" or type(text.get("eos_id")) is not int:
        raise CheckpointError(
            f"{path} sets {settings} in text_cfg, but only pool_type 'eos' with an eos_id is supported: "
            "choose another model"
        )
    end: int = text["eos_id"]
    return end


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
