"""One adapter per family of dual encoders.

A backbone runs the vision tower block by block, pools, encodes text, and defines the preprocessing. It is
independent of segments and reducers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from centerclip.errors import ModelError
from centerclip.model.backbones.backbone import Backbone, Tower
from centerclip.model.backbones.clip import CLIPBackbone
from centerclip.model.backbones.multilingual import AltCLIPBackbone, ChineseCLIPBackbone, MetaClip2Backbone
from centerclip.model.backbones.pe_core import PECoreBackbone
from centerclip.model.backbones.siglip import SiglipBackbone
from centerclip.model.pe_core import PECore
from centerclip.model.unsupported import family_needs
from centerclip.naming import BACKBONE_CLASSES, format_name, name_of, read_options, resolve, write_options
from centerclip.preprocessing import Preprocessing

__all__ = [
    "AltCLIPBackbone",
    "Backbone",
    "CLIPBackbone",
    "ChineseCLIPBackbone",
    "MetaClip2Backbone",
    "PECoreBackbone",
    "SiglipBackbone",
    "Tower",
    "backbone_config",
    "backbone_label",
    "find_backbone",
    "make_backbone",
]


def make_backbone(
    model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
) -> Backbone:
    """Wrap a dual encoder in the adapter of its family.

    Args:
        model: of a family in `BACKBONE_CLASSES`, such as `CLIPModel`, `SiglipModel` or `PECore`; not copied.
        tokenizer: the model's own, or None.
        preprocessing: the family's defaults at the model's image size, if None.

    Raises:
        ModelError: an unsupported model.
    """
    if isinstance(model, str | Path):
        raise ModelError(f"{str(model)!r} is a name: load the model with CenterCLIP.from_pretrained")
    family = getattr(getattr(model, "config", None), "model_type", "")
    towers = hasattr(model, "vision_model") and hasattr(model, "text_model")
    if family not in BACKBONE_CLASSES or not (towers or isinstance(model, PECore)):
        raise ModelError(f"{type(model).__name__} is not supported: {family_needs(family)}")
    made, _ = find_backbone(family)
    return made(model, tokenizer, preprocessing=preprocessing)


def find_backbone(given: str | Mapping[str, Any]) -> tuple[type[Backbone], dict[str, Any]]:
    """Resolve `module:Class(option=value)`, or a table, into a backbone's class and options.

    Raises:
        ConfigError: the class can't be imported, or isn't a subclass of `Backbone`.
    """
    name, options = read_options(given, "backbone")
    return resolve(name, BACKBONE_CLASSES, Backbone, "backbone"), options


def backbone_label(backbone: Backbone) -> str:
    """The name and options of an own backbone, as `find_backbone` reads them; "" for built-in ones."""
    config = backbone_config(backbone)
    return format_name(config.pop("name"), config) if config else ""


def backbone_config(backbone: Backbone) -> dict[str, Any] | None:
    """Make the table that `find_backbone` reads; None for built-in ones, which follow from the model's
    family.

    Raises:
        ConfigError: an option that can't be saved.
    """
    name = name_of(type(backbone), BACKBONE_CLASSES)
    return None if name in BACKBONE_CLASSES else write_options(name, backbone.options, "backbone")
