"""Makes the model that a recipe starts from."""

from __future__ import annotations

import torch

from centerclip.datasets import Dataset
from centerclip.model import CenterCLIP
from centerclip.training.adapting import add_lora, freeze_blocks
from centerclip.training.config import TrainConfig
from centerclip.training.scratch import fit_tokenizer, make_clip

__all__ = ["build_model"]


def build_model(config: TrainConfig, training: Dataset) -> CenterCLIP:
    """Load the model or make a random one, and adapt it as the recipe says; on the CPU.

    Args:
        config: the recipe.
        training: the training split. A random model's tokenizer is fitted to its captions; its frames per
            video are used if the recipe has none.

    Raises:
        ConfigError, ModelError, ScheduleError: the model doesn't exist, or the recipe doesn't fit it.
    """
    section = config.model
    frames = section.frames or training.frames
    if section.architecture is None:
        assert section.start is not None
        model = CenterCLIP.from_pretrained(
            section.start,
            schedule=section.schedule,
            reducer=section.reducer,
            frames=frames,
            tokenizer=section.tokenizer,
            activation=section.activation,
            temporal=section.temporal or None,  # keep a trained one
            backbone=section.backbone,
        )
    else:
        tokenizer = fit_tokenizer(
            [caption.text for caption in training.captions],
            vocabulary=section.architecture.vocabulary,
            context_length=section.architecture.context_length,
        )
        torch.manual_seed(config.seed)
        model = CenterCLIP(
            make_clip(section.architecture, vocabulary=len(tokenizer)),
            schedule=section.schedule,
            reducer=section.reducer,
            frames=frames or 12,
            tokenizer=tokenizer,
            temporal=section.temporal,
        )
    freeze_blocks(model, config.optimization.frozen_blocks)
    if section.lora is not None:
        torch.manual_seed(config.seed)  # for the adapters' random weights
        add_lora(model, section.lora)
    if config.optimization.checkpointing:
        model.backbone.model.activation_checkpointing_enable({"use_reentrant": False})
    return model
