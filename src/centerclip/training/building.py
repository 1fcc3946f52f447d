"""The model that a recipe starts from."""

from __future__ import annotations

import torch

from centerclip.model import CenterCLIP
from centerclip.training.adapting import add_lora, freeze_blocks
from centerclip.training.config import TrainConfig
from centerclip.training.scratch import fit_tokenizer, make_clip

__all__ = ["build_model"]


def build_model(config: TrainConfig, captions: list[str]) -> CenterCLIP:
    """Make it, on the CPU: loaded, or random with a tokenizer fitted to `captions`; adapted as told.

    Raises:
        ConfigError, ModelError, ScheduleError: the recipe doesn't fit the model, or there is none.
    """
    section = config.model
    model = _fresh(config, captions) if section.start is None else _loaded(config)
    freeze_blocks(model, config.optimization.frozen_blocks)
    if section.lora is not None:
        torch.manual_seed(config.seed)  # adapters start at random
        add_lora(model, section.lora)
    if config.optimization.checkpointing:
        model.backbone.model.activation_checkpointing_enable({"use_reentrant": False})
    return model


def _loaded(config: TrainConfig) -> CenterCLIP:
    section = config.model
    assert section.start is not None
    return CenterCLIP.from_pretrained(
        section.start,
        schedule=section.schedule,
        reducer=section.reducer,
        frames=section.frames,
        tokenizer=section.tokenizer,
        activation=section.activation,
        temporal=section.temporal or None,  # one that was trained stays
    )


def _fresh(config: TrainConfig, captions: list[str]) -> CenterCLIP:
    section = config.model
    assert section.architecture is not None
    tokenizer = fit_tokenizer(
        captions,
        vocabulary=section.architecture.vocabulary,
        context_length=section.architecture.context_length,
    )
    torch.manual_seed(config.seed)
    clip = make_clip(section.architecture, vocabulary=len(tokenizer))
    return CenterCLIP(
        clip,
        schedule=section.schedule,
        reducer=section.reducer,
        frames=section.frames,
        tokenizer=tokenizer,
        temporal=section.temporal,
    )
