"""AdamW as the paper uses it: which parameters decay, and how the learning rate moves."""

from __future__ import annotations

import math

import torch
from torch import nn

from centerclip.model.temporal import TemporalEmbedding
from centerclip.training.config import OptimizationSection

__all__ = ["learning_rate", "make_optimizer", "set_learning_rate"]


def make_optimizer(model: nn.Module, config: OptimizationSection) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only: biases, norms, the logit scale and times are spared.

    A temporal embedding is a group of its own, with its own learning rate.
    """
    tables = {id(m.table) for m in model.modules() if isinstance(m, TemporalEmbedding)}
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    temporal: list[nn.Parameter] = []
    for parameter in model.parameters():
        if id(parameter) in tables:
            temporal.append(parameter)
        elif parameter.requires_grad:
            (decayed if parameter.ndim >= 2 else spared).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    if temporal:
        factor = config.temporal_learning_rate / config.learning_rate
        groups.append({"params": temporal, "weight_decay": 0.0, "factor": factor})
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, eps=config.eps)


def learning_rate(step: int, config: OptimizationSection, steps: int | None = None) -> float:
    """The rate for 0-based `step`: linear warm-up, then half a cosine down to zero.

    Args:
        steps: of the whole run, where the recipe counts in epochs.
    """
    total = config.steps if steps is None else steps
    assert total is not None
    warmup = round(config.warmup * total)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its rate: `rate`, or in proportion where it has a factor of its own."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)
