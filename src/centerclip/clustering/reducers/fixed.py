"""Reducers that don't look at the tokens: what clustering is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from centerclip.clustering.reducers.reducer import Reducer
from centerclip.clustering.tokens import Tokens
from centerclip.errors import ConfigError

__all__ = ["Pool", "Sample", "TemporalShift", "TokenShift"]

_FOLD = 8
"""1/8 of the channels come from the frame before, 1/8 from the frame after (TSM, arXiv 1811.08383)."""


@dataclass(frozen=True)
class Pool(Reducer):
    """Averages over time, and along the positions only as far as the token count requires.

    P tokens are the means of each position over the segment's frames. For K other than P the frames are
    averaged in ceil(K / P) equal runs, and the positions of the resulting tokens, run after run, in K
    equal runs. Runs that don't divide evenly share their edges.
    """

    def blend(self, tokens: Tokens, k: int) -> Tensor:
        segments, frames, patches, _ = tokens.patches.shape
        count, runs = frames * patches, -(-k // patches)
        each = torch.eye(count, device=tokens.x.device).view(frames, patches * count)
        over_time = adaptive_avg_pool1d(each.mT, runs).mT  # [runs, P * N]
        sequence = over_time.reshape(runs * patches, count)  # [runs * P, N]
        return adaptive_avg_pool1d(sequence.mT, k).mT.expand(segments, -1, -1)  # [G, K, N]


@dataclass(frozen=True)
class Sample(Reducer):
    """Keeps one token of each of K equal strides: the middle one, or in training any of them."""

    def choose(self, tokens: Tokens, k: int) -> Tensor:
        starts, widths = _strides(tokens, k)
        return (starts + widths // 2).expand(len(tokens.x), -1)  # [G, K]

    def choose_in_training(self, tokens: Tokens, k: int) -> Tensor:
        starts, widths = _strides(tokens, k)
        within = torch.rand(len(tokens.x), k, device=tokens.x.device) * widths  # [G, K]
        return starts + within.long().minimum(widths - 1)  # a product may round up to the width


@dataclass(frozen=True)
class TemporalShift(Sample):
    """Shifts channels of the patch tokens along the segment's frames, then keeps tokens as `Sample` does."""

    def shift(self, tokens: Tokens) -> Tokens:
        return tokens.with_(patches=_shift(tokens.patches))


@dataclass(frozen=True)
class TokenShift(Sample):
    """Shifts channels of the class tokens alone along the frames, then keeps tokens as `Sample` does.

    Source: Token Shift Transformer (arXiv 2108.02432).
    """

    def shift(self, tokens: Tokens) -> Tokens:
        if tokens.class_token is None:
            raise ConfigError("token_shift shifts class tokens, but this tower has none: use temporal_shift")
        return tokens.with_(class_token=_shift(tokens.class_token))


def _strides(tokens: Tokens, k: int) -> tuple[Tensor, Tensor]:
    """Where each of K equal strides of the sequence begins, and how long it is, both [K]."""
    _, frames, patches, _ = tokens.patches.shape
    edges = torch.arange(k + 1, device=tokens.x.device) * (frames * patches) // k
    return edges[:-1], edges.diff()


def _shift(tokens: Tensor) -> Tensor:
    """Take channels from the neighboring frames, [G, n, ..., D] -> the same shape.

    The first 1/8 of the channels come from the frame before, the next 1/8 from the frame after. Where
    there is none the frame's own stay; TSM's zeros would wipe out much of a segment of two frames.
    """
    width = tokens.shape[-1] // _FOLD
    before = torch.cat([tokens[:, :1], tokens[:, :-1]], 1)[..., :width]
    after = torch.cat([tokens[:, 1:], tokens[:, -1:]], 1)[..., width : 2 * width]
    return torch.cat([before, after, tokens[..., 2 * width :]], -1)
