"""AdamW as the paper uses it: which parameters decay, and how the learning rate moves."""

from __future__ import annotations

import math

import torch
from torch import nn

from centerclip.training.config import OptimizationSection

__all__ = ["learning_rate", "make_optimizer"]


def make_optimizer(model: nn.Module, config: OptimizationSection) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only: biases, norms and the logit scale are spared."""
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim >= 2 else spared).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, eps=config.eps)


def learning_rate(step: int, config: OptimizationSection) -> float:
    """The rate for 0-based `step`: linear warm-up, then half a cosine down to zero."""
    warmup = round(config.warmup * config.steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, config.steps - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
