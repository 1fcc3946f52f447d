"""The vision tower's matrix products in 8 bits, which some processors multiply faster than float32.

Owns the rounding of weights. Knows no schedules: callers choose which blocks to run.
"""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from centerclip.errors import ConfigError
from centerclip.model import Backbone, Tower

__all__ = ["Int8Tower"]


_LEVELS = 127
"""Of inputs, between their minimum and maximum: with twice as many, processors without VNNI would overflow
the 16 bits in which they add two products. Of weights, on each side of zero."""

_LEAST = 1e-30
"""Step between levels if all numbers are equal."""


class Int8Tower(Tower):
    """Runs a backbone whose blocks multiply in int8 and compute the rest in float32. For inference on a CPU.

    Weights are rounded once, with one scale per output; inputs every time, with one scale per token, so that
    an embedding doesn't depend on the rest of its batch.

    Args:
        backbone: with float32 weights on the CPU. It is shared, apart from the blocks' rounded weights.

    Raises:
        ConfigError: this build of torch has no int8 products.
    """

    precision = "int8"

    def __init__(self, backbone: Backbone) -> None:
        if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            raise ConfigError("precision 'int8' needs oneDNN, which this build of torch lacks: give float32")
        kept: list[Any] = [*chain(backbone.parameters(), backbone.buffers()), backbone.tokenizer]
        twin = copy.deepcopy(backbone, {id(part): part for part in kept})
        for module in list(twin.layers.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.Linear):
                    setattr(module, name, _Int8Linear(child))
        super().__init__(twin)


class _Int8Linear(nn.Module):
    """Maps [..., D] float32 to [..., E] float32, like the `nn.Linear` it replaces."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()  # [E, D]
        bias = weight.new_zeros(len(weight)) if linear.bias is None else linear.bias.detach()
        self._scales = weight.abs().amax(1).clamp_(min=_LEAST) / _LEVELS  # [E]
        rounded = (weight / self._scales[:, None]).round_().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded, None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        # A token is low + step * levels. The contribution of low, and the bias, are added in float32.
        self._offsets = torch.stack((weight.sum(1), bias))  # [2, E]

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, -2)  # [N, D]
        low = tokens.amin(1, keepdim=True)  # [N, 1]; aminmax would take ten times as long
        step = ((tokens.amax(1, keepdim=True) - low) / _LEVELS).clamp_(min=_LEAST)
        levels = torch.sub(tokens, low).mul_(step.reciprocal()).add_(0.5).to(torch.uint8)
        out: Tensor = torch.ops.onednn.qlinear_pointwise(
            levels,
            1.0,
            0,
            self._weight,
            self._scales,
            self._zeros,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )  # [N, E]
        out.mul_(step).addmm_(torch.cat((low, torch.ones_like(low)), 1), self._offsets)
        return out.view(*x.shape[:-1], -1)
