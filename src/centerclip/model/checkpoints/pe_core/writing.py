"""Writes a `PECore` in open_clip's layout, which open_clip reads too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from centerclip.errors import ModelError
from centerclip.model.pe_core.config import TRUNKS, PECoreConfig, trunk_grid
from centerclip.model.pe_core.model import PECore
from centerclip.model.registry import OPEN_CLIP_CONFIG
from centerclip.preprocessing import Preprocessing

__all__ = ["write_pe_core"]

_WEIGHTS = "open_clip_model.safetensors"
_RESIZE_MODES = {"squash": "squash", "crop": "shortest"}


def write_pe_core(model: PECore, preprocessing: Preprocessing, folder: Path) -> None:
    """Write weights, geometry and preprocessing.

    Raises:
        ModelError: open_clip has no such preprocessing.
        OSError: the folder can't be written.
    """
    if preprocessing.shortest_edge is not None or not preprocessing.antialias:
        raise ModelError(
            "open_clip's layout has no shortest_edge and always antialiases, so this preprocessing can't be "
            "saved: use a plain crop or squash"
        )
    trunk, grid = _trunk(model.config), model.config.vision_config.rotary_grid
    content: dict[str, Any] = {
        "model_cfg": _model_config(model.config, trunk),
        "preprocess_cfg": _preprocess_config(preprocessing),
    }
    if grid != trunk_grid(trunk):  # of no published model; open_clip, which would stretch it, ignores this
        content["rotary_grid"] = grid
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
        folder / _WEIGHTS,
        metadata={"format": "pt"},
    )
    (folder / OPEN_CLIP_CONFIG).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    # A model of transformers saved here before would be preferred.
    (folder / "config.json").unlink(missing_ok=True)


def _model_config(config: PECoreConfig, trunk: str) -> dict[str, Any]:
    vision, text = config.vision_config, config.text_config
    return {
        "embed_dim": config.projection_dim,
        "vision_cfg": {
            "image_size": vision.image_size,
            "timm_model_name": trunk,
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": None,
            "head_width": vision.hidden_size // vision.num_attention_heads,
        },
        "text_cfg": {
            "context_length": text.max_position_embeddings,
            "vocab_size": text.vocab_size,
            "width": text.hidden_size,
            "heads": text.num_attention_heads,
            "layers": text.num_hidden_layers,
        },
        "custom_text": True,
    }


def _trunk(config: PECoreConfig) -> str:
    """Name the published vision tower of this width; another width goes by the nearest kind."""
    vision = config.vision_config
    width = vision.hidden_size if vision.hidden_size in TRUNKS else min(TRUNKS)
    return TRUNKS[width if vision.class_token else max(TRUNKS)]


def _preprocess_config(preprocessing: Preprocessing) -> dict[str, Any]:
    return {
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "interpolation": preprocessing.interpolation,
        "resize_mode": _RESIZE_MODES[preprocessing.resize],
    }
