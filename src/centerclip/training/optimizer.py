"""AdamW as in the paper: which parameters decay, and the schedule of the learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from centerclip.model.temporal import TemporalEmbedding
from centerclip.training.config import OptimizationSection

__all__ = ["learning_rate", "make_optimizer", "set_learning_rate"]


def make_optimizer(model: nn.Module, config: OptimizationSection) -> torch.optim.AdamW:
    """Make AdamW with weight decay on matrices only: not on biases, norms, logit scale, temporal embedding.

    The temporal embedding has its own parameter group and learning rate.
    """
    tables = {id(m.table) for m in model.modules() if isinstance(m, TemporalEmbedding)}
    decayed: list[nn.Parameter] = []
    undecayed: list[nn.Parameter] = []
    temporal: list[nn.Parameter] = []
    for parameter in model.parameters():
        if id(parameter) in tables:
            temporal.append(parameter)
        elif parameter.requires_grad:
            (decayed if parameter.ndim >= 2 else undecayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": undecayed, "weight_decay": 0.0},
    ]
    if temporal:
        factor = config.temporal_learning_rate / config.learning_rate
        groups.append({"params": temporal, "weight_decay": 0.0, "factor": factor})
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, eps=config.eps)


def learning_rate(step: int, steps: int, config: OptimizationSection) -> float:
    """Return the rate of 0-based `step` of `steps`: linear warm-up, then half a cosine down to zero."""
    warmup = round(config.warmup * steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of every group: `rate`, times the group's own factor if it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)
