"""One adapter for each family of `transformers` dual encoders.

A backbone runs the vision tower block by block, pools, encodes tokenized text, and knows the
constants of preprocessing. It knows nothing of segments, schedules or reducers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from centerclip.errors import ModelError
from centerclip.model.backbones.backbone import Backbone
from centerclip.model.backbones.clip import CLIPBackbone
from centerclip.model.backbones.siglip import SiglipBackbone
from centerclip.naming import BACKBONE_CLASSES, name_of, read_options, resolve, write_options
from centerclip.preprocessing import Preprocessing

__all__ = ["Backbone", "CLIPBackbone", "SiglipBackbone", "backbone_config", "find_backbone", "make_backbone"]


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
    if isinstance(model, str | Path):
        raise ModelError(f"{str(model)!r} is a name: load the model by CenterCLIP.from_pretrained")
    family = getattr(getattr(model, "config", None), "model_type", "")
    towers = hasattr(model, "vision_model") and hasattr(model, "text_model")
    if family not in BACKBONE_CLASSES or not towers:
        raise ModelError(
            f"{type(model).__name__} is not supported: CenterCLIP runs on transformers' CLIPModel and "
            "SiglipModel (SigLIP, and SigLIP 2 of fixed resolution), or on a Backbone of your own"
        )
    made, _ = find_backbone(family)
    return made(model, tokenizer, preprocessing=preprocessing)


def find_backbone(given: str | Mapping[str, Any]) -> tuple[type[Backbone], dict[str, Any]]:
    """The class and the options of a backbone, given as `module:Class(option=value)` or as a table.

    Raises:
        ConfigError: it can't be imported, or is no subclass of `Backbone`.
    """
    name, options = read_options(given, "backbone")
    return resolve(name, BACKBONE_CLASSES, Backbone, "backbone"), options


def backbone_config(backbone: Backbone) -> dict[str, Any] | None:
    """What `find_backbone` reads, for a backbone of one's own; None for one that a model's family tells.

    Raises:
        ConfigError: an option that can't be saved.
    """
    name = name_of(type(backbone), BACKBONE_CLASSES)
    return None if name in BACKBONE_CLASSES else write_options(name, backbone.options, "backbone")
