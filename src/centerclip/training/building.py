"""The model that a recipe starts from."""

from __future__ import annotations

import torch

from centerclip.datasets import Dataset
from centerclip.model import CenterCLIP
from centerclip.training.adapting import add_lora, freeze_blocks
from centerclip.training.config import ModelSection, TrainConfig
from centerclip.training.scratch import fit_tokenizer, make_clip

__all__ = ["build_model"]


def build_model(config: TrainConfig, training: Dataset) -> CenterCLIP:
    """Load the model, or make a random one, and adapt it as the recipe says; on the CPU.

    Args:
        config: the recipe.
        training: a random model's tokenizer is fitted to its captions; its frames per video are used if
            the recipe has none.

    Raises:
        ConfigError, ModelError, ScheduleError: the recipe doesn't fit the model, or there is no such model.
    """
    section = config.model
    model = _random(config, training) if section.start is None else _loaded(section, training)
    freeze_blocks(model, config.optimization.frozen_blocks)
    if section.lora is not None:
        torch.manual_seed(config.seed)  # adapters start at random
        add_lora(model, section.lora)
    if config.optimization.checkpointing:
        model.backbone.model.activation_checkpointing_enable({"use_reentrant": False})
    return model


def _loaded(section: ModelSection, training: Dataset) -> CenterCLIP:
    assert section.start is not None
    return CenterCLIP.from_pretrained(
        section.start,
        schedule=section.schedule,
        reducer=section.reducer,
        frames=section.frames or training.frames,
        tokenizer=section.tokenizer,
        activation=section.activation,
        temporal=section.temporal or None,  # a trained one is kept
        backbone=section.backbone,
    )


def _random(config: TrainConfig, training: Dataset) -> CenterCLIP:
    section = config.model
    assert section.architecture is not None
    tokenizer = fit_tokenizer(
        [caption.text for caption in training.captions],
        vocabulary=section.architecture.vocabulary,
        context_length=section.architecture.context_length,
    )
    torch.manual_seed(config.seed)
    return CenterCLIP(
        make_clip(section.architecture, vocabulary=len(tokenizer)),
        schedule=section.schedule,
        reducer=section.reducer,
        frames=section.frames or training.frames or 12,
        tokenizer=tokenizer,
        temporal=section.temporal,
    )
