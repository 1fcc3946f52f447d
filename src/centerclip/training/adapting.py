"""Which weights are trained: all, all but frozen blocks, or only low-rank adapters."""

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
        ConfigError: the vision tower has fewer blocks.
    """
    if count > model.backbone.blocks:
        raise ConfigError(
            f"frozen_blocks is {count}, but the model has {model.backbone.blocks} blocks: freeze fewer"
        )
    for part in model.backbone.bottom(count) if count else ():
        part.requires_grad_(False)


def add_lora(model: CenterCLIP, lora: Lora) -> None:
    """Add adapters to the layers named in `lora.targets`, and freeze the layers' own weights.

    Raises:
        ConfigError: `peft` is not installed, or no layer has one of the names.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ConfigError("[model.lora] needs peft: pip install 'centerclip[train]'") from error
    settings = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=list(lora.targets)
    )
    linear = [name for name, m in model.backbone.model.named_modules() if isinstance(m, nn.Linear)]
    for target in lora.targets:
        if not any(f".{name}".endswith(f".{target}") for name in linear):
            names = sorted({name.rpartition(".")[2] for name in linear})
            raise ConfigError(
                f"model.lora.targets has {target}, which no layer of the model is called: its linear layers "
                f"are {', '.join(names)}"
            )
    inject_adapter_in_model(settings, model.backbone.model)
    model.logit_scale.requires_grad_()


def without_lora(model: CenterCLIP) -> CenterCLIP:
    """Return a copy with the adapters merged into plain weights, or the model itself if it has none."""
    try:
        from peft.tuners.tuners_utils import BaseTunerLayer
    except ImportError:  # then the model can't have adapters
        return model
    if not any(isinstance(module, BaseTunerLayer) for module in model.modules()):
        return model
    merged = copy.deepcopy(model)
    layers: list[tuple[str, Any]] = [
        (name, module) for name, module in merged.named_modules() if isinstance(module, BaseTunerLayer)
    ]
    for name, layer in layers:
        layer.merge()
        parent, _, attribute = name.rpartition(".")
        setattr(merged.get_submodule(parent), attribute, layer.get_base_layer())
    return merged
