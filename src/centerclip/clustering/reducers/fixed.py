"""Reducers that ignore token values, as baselines for clustering."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from centerclip.clustering.reducers.reducer import Reducer
from centerclip.clustering.tokens import Tokens
from centerclip.errors import ConfigError

__all__ = ["Pool", "Sample", "TemporalShift", "TokenShift"]

_FOLD = 8
"""Shifting replaces 1/8 of the channels in each direction (TSM, arXiv 1811.08383)."""


@dataclass(frozen=True)
class Pool(Reducer):
    """Averages over time first, and over positions only if necessary.

    With K = P, each token is the mean of one position over all frames. Otherwise, frames are averaged in
    ceil(K / P) equal runs, and then positions in K equal runs. Runs that don't divide evenly overlap.
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
    """Keeps one token of each of K equal strides: near the middle, or a random one in training.

    The frames of a segment keep different places. The middles alone would do so only if K and the number of
    frames have no common divisor: with three frames and K = 12, every frame would keep the same four places.
    """

    @property
    def revision(self) -> int:
        return 1  # 0 kept the middle of each stride

    def choose(self, tokens: Tokens, k: int) -> Tensor:
        _, frames, patches, _ = tokens.patches.shape
        starts, widths = _strides(tokens, k)
        middles = widths // 2
        # A frame has K / n strides, so middles lie in n / gcd(K, n) different places of the strides. After
        # that many frames they would repeat: move on by one n-th of a stride.
        rounds = (starts + middles) // patches * math.gcd(k, frames) // frames
        within = (middles + rounds * widths // frames) % widths
        return (starts + within).expand(tokens.x.shape[0], -1)  # [G, K]

    def choose_in_training(self, tokens: Tokens, k: int) -> Tensor:
        starts, widths = _strides(tokens, k)
        within = torch.rand(tokens.x.shape[0], k, device=tokens.x.device) * widths  # [G, K]
        return starts + within.long().minimum(widths - 1)  # the product may round up to the width


@dataclass(frozen=True)
class TemporalShift(Sample):
    """Shifts channels of the patch tokens between frames, then samples like `Sample`."""

    def shift(self, tokens: Tokens) -> Tokens:
        return tokens.with_(patches=_shift(tokens.patches))


@dataclass(frozen=True)
class TokenShift(Sample):
    """Shifts channels of the class tokens between frames, then samples like `Sample`.

    Source: Token Shift Transformer (arXiv 2108.02432).
    """

    def shift(self, tokens: Tokens) -> Tokens:
        if tokens.class_token is None:
            raise ConfigError("token_shift needs class tokens, but this tower has none: use temporal_shift")
        return tokens.with_(class_token=_shift(tokens.class_token))


def _strides(tokens: Tokens, k: int) -> tuple[Tensor, Tensor]:
    """Compute the starts and widths [K] of K equal strides of the sequence."""
    _, frames, patches, _ = tokens.patches.shape
    edges = torch.arange(k + 1, device=tokens.x.device) * (frames * patches) // k
    return edges[:-1], edges.diff()


def _shift(tokens: Tensor) -> Tensor:
    """Take channels [G, n, ..., D] from neighboring frames: the first 1/8 from before, the next from after.

    The first and last frame keep their own channels: TSM's zeros would erase much of a two-frame segment.
    """
    width = tokens.shape[-1] // _FOLD
    before = torch.cat([tokens[:, :1], tokens[:, :-1]], 1)[..., :width]
    after = torch.cat([tokens[:, 1:], tokens[:, -1:]], 1)[..., width : 2 * width]
    return torch.cat([before, after, tokens[..., 2 * width :]], -1)
