"""Settings beside the weights of a PE-Core: `open_clip_config.json`, or the JSON of an official checkpoint.

They matter only for what shapes don't determine. Anything that would change the computation is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.open_clip import read_preprocess
from centerclip.model.pe_core.config import POOLING_HEADS, TRUNKS, trunk_grid
from centerclip.model.reading import read_json, reading
from centerclip.model.registry import OPEN_CLIP_CONFIG

__all__ = ["PESettings", "read_pe_settings"]

_ANY: tuple[Any, ...] = ()
# By section: the known keys, with the values that are supported.
_OPEN_CLIP: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "": {
        "embed_dim": _ANY,
        "vision_cfg": _ANY,
        "text_cfg": _ANY,
        "custom_text": _ANY,
        "quick_gelu": (False,),
    },
    "vision_cfg": {
        **dict.fromkeys(("image_size", "patch_size", "head_width", "timm_model_pretrained"), _ANY),
        "timm_model_name": tuple(TRUNKS.values()),
        "timm_pool": ("map",),
        "timm_proj": (None, ""),
    },
    "text_cfg": dict.fromkeys(("context_length", "vocab_size", "width", "heads", "layers"), _ANY),
}
_SHARED = dict.fromkeys(("width", "layers", "heads", "mlp_ratio", "output_dim", "drop_path"), _ANY)
_OFFICIAL: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "": {"vision": _ANY, "text": _ANY},
    "vision": {
        **_SHARED,
        **dict.fromkeys(("image_size", "patch_size", "use_cls_token"), _ANY),
        **dict.fromkeys(("use_abs_posemb", "use_rope2d", "use_ln_pre", "use_ln_post"), (True,)),
        "ls_init_value": (None,),
        "pool_type": ("attn",),
        "attn_pooler_heads": (POOLING_HEADS,),
    },
    "text": {
        **_SHARED,
        **dict.fromkeys(("context_length", "vocab_size"), _ANY),
        "ls_init_value": (None,),
        "pool_type": ("argmax",),
    },
}


@dataclass(frozen=True, slots=True)
class PESettings:
    """What the weights' shapes don't determine; None for what isn't stated.

    Attributes:
        path: the file, for messages.
        trunk: timm's name of the vision tower.
        head_width, vision_heads: of the vision tower's blocks.
        text_heads: of the text tower.
        image_size: side of a frame, in pixels.
        rotary_grid: see `VisionConfig`.
        preprocess: values for fields of `Preprocessing`.
    """

    path: Path | None = None
    trunk: str | None = None
    head_width: int | None = None
    vision_heads: int | None = None
    text_heads: int | None = None
    image_size: int | None = None
    rotary_grid: int | None = None
    preprocess: dict[str, Any] = field(default_factory=dict)


def read_pe_settings(weights: Path) -> PESettings:
    """Read the settings of a weights file: `NAME.json` for `NAME.pt`, or else `open_clip_config.json`.

    Raises:
        CheckpointError: the file is damaged, of another vision tower, or has unsupported settings.
    """
    official, open_clip = weights.with_suffix(".json"), weights.parent / OPEN_CLIP_CONFIG
    if weights.suffix == ".pt" and official.is_file():
        return _read_official(official)
    return _read_open_clip(open_clip) if open_clip.is_file() else PESettings()


def _read_official(path: Path) -> PESettings:
    with reading(path, "download the model again", CheckpointError):
        content = read_json(path, missing="", kind=CheckpointError)
        if not content.keys() & {"vision", "text"}:  # something else
            return PESettings()
        vision, text = content["vision"], content["text"]
        _check(path, _OFFICIAL, {"": content, "vision": vision, "text": text})
        return PESettings(
            path=path,
            vision_heads=_number(vision, "heads"),
            text_heads=_number(text, "heads"),
            image_size=_number(vision, "image_size"),
        )


def _read_open_clip(path: Path) -> PESettings:
    with reading(path, "download the model again", CheckpointError):
        content = read_json(path, missing="", kind=CheckpointError)
        model = content["model_cfg"]
        vision, text = model["vision_cfg"], model["text_cfg"]
        _check(path, _OPEN_CLIP, {"": model, "vision_cfg": vision, "text_cfg": text})
        saved = content.get("preprocess_cfg", {})
        trunk = vision["timm_model_name"]
        return PESettings(
            path=path,
            trunk=trunk,
            head_width=_number(vision, "head_width"),
            text_heads=_number(text, "heads"),
            image_size=_number(vision, "image_size"),
            rotary_grid=_number(content, "rotary_grid") or trunk_grid(trunk),
            preprocess=read_preprocess({"resize_mode": "squash", **saved}, path),
        )


def _check(
    path: Path,
    known: Mapping[str, Mapping[str, tuple[Any, ...]]],
    found: Mapping[str, Mapping[str, Any]],
) -> None:
    for part, settings in found.items():
        for key, value in settings.items():
            name = f"{part}.{key}".lstrip(".")
            if key not in known[part]:
                raise CheckpointError(f"{path} sets {name}, which is not supported: choose another model")
            allowed = known[part][key]
            if allowed and value not in allowed:
                raise CheckpointError(
                    f"{path} sets {name} to {value!r}, but a PE-Core has "
                    f"{' or '.join(map(str, allowed))}: choose another model"
                )


def _number(settings: Mapping[str, Any], key: str) -> int | None:
    number = settings.get(key)
    if number is not None and (type(number) is not int or number < 1):
        raise ValueError(f"{key} is {number!r}, but must be a whole number above 0")
    return number
