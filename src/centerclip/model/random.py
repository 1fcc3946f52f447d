"""Models with the geometry of known ones and random weights, to measure their speed before a download.

The time of a forward pass doesn't depend on the values of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from centerclip.errors import ModelError
from centerclip.model.backbones import Backbone, make_backbone
from centerclip.model.centerclip import CenterCLIP
from centerclip.model.pe_core import PECore, PECoreConfig, TextConfig, VisionConfig
from centerclip.model.registry import FRAMES, KnownModel

__all__ = ["pe_core_vision", "random_model"]

_TEXT = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "vocab_size": 8,
    "max_position_embeddings": 8,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
"""A tiny text tower, which isn't measured."""


def random_model(known: KnownModel) -> CenterCLIP:
    """Make a model with a known one's vision tower and random weights, on the CPU in evaluation mode.

    Its text tower is tiny and it has no tokenizer.

    Raises:
        ModelError: the model's family isn't supported.
    """
    make = _MAKERS.get(known.family)
    if make is None:
        raise ModelError(f"{known.name} can't be measured: its family {known.family} isn't supported")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CenterCLIP(make(known), frames=FRAMES).eval()


def _clip(known: KnownModel) -> Backbone:
    config = CLIPConfig(vision_config=_vision(known), text_config=_TEXT, projection_dim=known.embed_size)
    return _backbone(CLIPModel, config)


def _siglip(known: KnownModel) -> Backbone:
    text = _TEXT | {"projection_size": known.embed_size}
    return _backbone(SiglipModel, SiglipConfig(vision_config=_vision(known), text_config=text))


def _pe_core(known: KnownModel) -> Backbone:
    text = TextConfig(
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=64,
        vocab_size=8,
        max_position_embeddings=8,
    )
    return make_backbone(PECore(PECoreConfig(pe_core_vision(known), text, known.embed_size)))


def pe_core_vision(known: KnownModel) -> VisionConfig:
    """Return the geometry of a PE-Core's vision tower."""
    return VisionConfig(
        hidden_size=known.width,
        num_hidden_layers=known.blocks,
        num_attention_heads=known.heads,
        intermediate_size=known.mlp_width,
        pooling_size=4 * known.width,
        patch_size=known.patch_size,
        image_size=known.image_size,
        class_token=known.class_token,
        rotary_grid=known.image_size // known.patch_size,
    )


def _backbone(model_class: Any, config: Any) -> Backbone:
    model: nn.Module = model_class(config)
    return make_backbone(model)


def _vision(known: KnownModel) -> dict[str, Any]:
    return {
        "hidden_size": known.width,
        "intermediate_size": known.mlp_width,
        "num_hidden_layers": known.blocks,
        "num_attention_heads": known.heads,
        "image_size": known.image_size,
        "patch_size": known.patch_size,
    }


_MAKERS: MappingProxyType[str, Callable[[KnownModel], Backbone]] = MappingProxyType(
    {"clip": _clip, "siglip": _siglip, "pe_core": _pe_core}
)
"""Per family, what makes a backbone of a known model's geometry."""
