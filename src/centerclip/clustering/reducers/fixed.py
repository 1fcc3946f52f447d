"""Reducers that don't look at the tokens: what clustering is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from centerclip.clustering.reducers.reducer import Reduced, flatten, keep, mean_class_token
from centerclip.errors import ConfigError

__all__ = ["Pool", "Sample", "TemporalShift", "TokenShift"]

_FOLD = 8
"""One of so many channels comes from the frame before, one from the frame after (TSM, arXiv 1811.08383)."""


@dataclass(frozen=True)
class Pool:
    """Averages over time, and along the positions only as far as the token count asks for it.

    P tokens are the means of each position over the segment's frames. For K other than P the frames are
    averaged in ceil(K / P) equal runs, and the positions of the tokens that gives, run after run, in K
    equal runs. Runs that don't divide evenly share their edges.
    """

    name: ClassVar[str] = "pool"

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        flatten(patches, tokens)
        segments, _, positions, width = patches.shape
        runs = -(-tokens // positions)
        over_time = adaptive_avg_pool1d(patches.flatten(2).mT, runs).mT  # [G, runs, P * D]
        sequence = over_time.reshape(segments, runs * positions, width)  # [G, runs * P, D]
        return Reduced(adaptive_avg_pool1d(sequence.mT, tokens).mT, mean_class_token(class_tokens))


@dataclass(frozen=True)
class Sample:
    """Keeps one token of each of K equal strides: the middle one, or in training any of them."""

    name: ClassVar[str] = "sample"

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        sequence = flatten(patches, tokens)
        segments, n, _ = sequence.shape
        edges = torch.arange(tokens + 1, device=sequence.device) * n // tokens
        starts, widths = edges[:-1], edges.diff()
        if training:
            within = torch.rand(segments, tokens, device=sequence.device) * widths
            kept = starts + within.long().minimum(widths - 1)  # a product may round up to the width
        else:
            kept = (starts + widths // 2).expand(segments, -1)
        return Reduced(keep(sequence, kept), mean_class_token(class_tokens), kept)


@dataclass(frozen=True)
class TemporalShift:
    """Shifts channels of the patch tokens along the segment's frames, then keeps tokens as `Sample` does."""

    name: ClassVar[str] = "temporal_shift"

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        return Sample()(_shift(patches), class_tokens, tokens, training=training)


@dataclass(frozen=True)
class TokenShift:
    """Shifts channels of the class tokens alone along the frames, then keeps tokens as `Sample` does.

    Source: Token Shift Transformer (arXiv 2108.02432).
    """

    name: ClassVar[str] = "token_shift"

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        if class_tokens is None:
            raise ConfigError("token_shift shifts class tokens, but this tower has none: use temporal_shift")
        return Sample()(patches, _shift(class_tokens), tokens, training=training)


def _shift(tokens: Tensor) -> Tensor:
    """Take channels from the neighboring frames, [G, n, ..., D] -> the same shape.

    The first 1/8 of the channels come from the frame before, the next 1/8 from the frame after. Where
    there is none the frame's own stay; TSM's zeros would wipe out much of a segment of two frames.
    """
    width = tokens.shape[-1] // _FOLD
    before = torch.cat([tokens[:, :1], tokens[:, :-1]], 1)[..., :width]
    after = torch.cat([tokens[:, 1:], tokens[:, -1:]], 1)[..., width : 2 * width]
    return torch.cat([before, after, tokens[..., 2 * width :]], -1)
