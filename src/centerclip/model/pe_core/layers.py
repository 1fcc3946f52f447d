"""The layers of both towers. Parameters have the names of timm (vision) and open_clip (text)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

from centerclip.model.pe_core.rotary import Rotation, rotate

__all__ = ["AttentionPool", "TextBlock", "VisionBlock"]

_EPSILON = 1e-5


class _Block(nn.Module):
    """A module that can be computed again in the backward pass instead of keeping its activations."""

    checkpointing = False

    def __call__(self, *args: Any) -> Any:
        if self.checkpointing and self.training:
            return checkpoint(super().__call__, *args, use_reentrant=False)
        return super().__call__(*args)


class VisionBlock(_Block):
    """A block of the vision tower, [G, L, D] to [G, L, D].

    Args:
        width: D.
        heads: of the attention.
        mlp_width: hidden width of the MLP.
    """

    def __init__(self, width: int, heads: int, mlp_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = _RotaryAttention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = _MLP(width, mlp_width)

    def forward(self, x: Tensor, rotation: Rotation, bias: Tensor | None = None) -> Tensor:
        """Attend and compute.

        Args:
            x: [G, L, D].
            rotation: of every token.
            bias: [G, 1, 1, L], added to the attention scores, or None.
        """
        x = x + self.attn(self.norm1(x), rotation, bias)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _RotaryAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rotation: Rotation, bias: Tensor | None) -> Tensor:
        query, key, value = (part.unflatten(-1, (self.heads, -1)) for part in self.qkv(x).chunk(3, -1))
        query, key = (rotate(part, rotation).to(value.dtype) for part in (query, key))  # [G, L, h, d]
        out: Tensor = self.proj(_attend(query, key, value, bias))
        return out


class AttentionPool(nn.Module):
    """Pools all tokens [G, L, D] to [G, D] by the attention of a learned query, and an MLP.

    Args:
        width, heads, mlp_width: as in `VisionBlock`.
    """

    def __init__(self, width: int, heads: int, mlp_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.latent = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = _MLP(width, mlp_width)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Pool; `bias` is added to the attention scores as in a block."""
        query = self.q(self.latent.expand(x.shape[0], -1, -1))  # [G, 1, D]
        key, value = self.kv(x).chunk(2, -1)  # [G, L, D]
        query, key, value = (part.unflatten(-1, (self.heads, -1)) for part in (query, key, value))
        pooled = self.proj(_attend(query, key, value, bias)[:, 0])  # [G, D]
        out: Tensor = pooled + self.mlp(self.norm(pooled))
        return out


class TextBlock(_Block):
    """A block of the text tower, [B, L, D] to [B, L, D]; a token attends to itself and those before it."""

    def __init__(self, width: int, heads: int, mlp_width: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = _CausalAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, mlp_width), "c_proj": nn.Linear(mlp_width, width)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        out: Tensor = x + self.mlp["c_proj"](gelu(self.mlp["c_fc"](self.ln_2(x))))
        return out


class _CausalAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(width**-0.5 * torch.randn(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        both: Tensor = linear(x, self.in_proj_weight, self.in_proj_bias)
        query, key, value = both.view(*x.shape[:2], 3, self.heads, -1).unbind(2)  # [B, L, h, d]
        out: Tensor = self.out_proj(_attend(query, key, value, causal=True))
        return out


def _attend(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, *, causal: bool = False
) -> Tensor:
    """Attend from queries [G, Q, h, d] to keys and values [G, L, h, d]: [G, Q, D]."""
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))  # [G, h, Q or L, d]
    seen = scaled_dot_product_attention(query, key, value, attn_mask=bias, is_causal=causal)  # [G, h, Q, d]
    return seen.transpose(1, 2).flatten(2)


class _MLP(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(gelu(self.fc1(x)))
        return out
