"""One adapter for each family of `transformers` dual encoders.

A backbone runs the vision tower block by block, pools, encodes tokenized text, and knows the
constants of preprocessing. It knows nothing of segments, schedules or reducers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from centerclip.errors import ModelError
from centerclip.model.backbones.backbone import Backbone
from centerclip.model.backbones.clip import CLIPBackbone
from centerclip.model.backbones.siglip import SiglipBackbone
from centerclip.preprocessing import Preprocessing

__all__ = ["Backbone", "CLIPBackbone", "SiglipBackbone", "make_backbone"]

_BACKBONES: Mapping[str, type[Backbone]] = {"clip": CLIPBackbone, "siglip": SiglipBackbone}


def make_backbone(
    model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
) -> Backbone:
    """Wrap a `transformers` dual encoder in the adapter of its family.

    Args:
        model: `CLIPModel` or `SiglipModel`; not copied.
        tokenizer: the model's own, or None.
        preprocessing: by default the family's constants at the model's image size.

    Raises:
        ModelError: any other model.
    """
    config = getattr(model, "config", None)
    backbone = _BACKBONES.get(getattr(config, "model_type", ""))
    if backbone is None or not hasattr(model, "vision_model") or not hasattr(model, "text_model"):
        raise ModelError(
            f"{type(model).__name__} is not supported: CenterCLIP runs on transformers' CLIPModel and "
            "SiglipModel (SigLIP, and SigLIP 2 of fixed resolution)"
        )
    return backbone(model, tokenizer, preprocessing=preprocessing)
