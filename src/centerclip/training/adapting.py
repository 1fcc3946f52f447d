"""What of a model is trained: everything, what stands behind frozen blocks, or low-rank adapters."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP
from centerclip.training.config import Lora

__all__ = ["add_lora", "freeze_blocks", "without_lora"]


def freeze_blocks(model: CenterCLIP, count: int) -> None:
    """Freeze the embeddings and the first `count` blocks of both towers; 0 freezes nothing.

    Raises:
        ConfigError: the vision tower has not so many blocks.
    """
    if count > model.backbone.blocks:
        raise ConfigError(
            f"frozen_blocks is {count}, but the model has {model.backbone.blocks} blocks: make it at most "
            "that"
        )
    if not count:
        return
    for tower in (model.backbone.model.vision_model, model.backbone.model.text_model):
        before = [module for name, module in tower.named_children() if name in ("embeddings", "pre_layrnorm")]
        for module in (*before, *tower.encoder.layers[:count]):
            module.requires_grad_(False)


def add_lora(model: CenterCLIP, lora: Lora) -> None:
    """Put adapters beside the layers named in `lora.targets` and freeze everything below them.

    Raises:
        ConfigError: `peft` is not installed, or no layer has such a name.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ConfigError("[model.lora] needs peft: pip install 'centerclip[train]'") from error
    plan = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=list(lora.targets)
    )
    try:
        inject_adapter_in_model(plan, model.backbone.model)
    except ValueError as error:
        names = sorted(
            {
                name.rsplit(".", 1)[-1]
                for name, module in model.backbone.model.named_modules()
                if isinstance(module, nn.Linear)
            }
        )
        raise ConfigError(
            f"model.lora.targets {', '.join(lora.targets)} don't fit the model ({error}): its linear layers "
            f"are {', '.join(names)}"
        ) from error
    model.logit_scale.requires_grad_()


def without_lora(model: CenterCLIP) -> CenterCLIP:
    """A model of plain weights that computes the same: a copy with the adapters merged in, if it has any."""
    try:
        from peft.tuners.tuners_utils import BaseTunerLayer
    except ImportError:  # then there are none
        return model
    if not any(isinstance(module, BaseTunerLayer) for module in model.modules()):
        return model
    merged = copy.deepcopy(model)
    adapted: list[tuple[str, Any]] = [
        (name, module) for name, module in merged.named_modules() if isinstance(module, BaseTunerLayer)
    ]
    for name, layer in adapted:
        layer.merge()
        parent, _, own = name.rpartition(".")
        setattr(merged.get_submodule(parent), own, layer.get_base_layer())
    return merged
