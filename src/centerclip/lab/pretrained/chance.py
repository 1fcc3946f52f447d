"""A reducer that keeps random tokens: what any choice must beat."""

from dataclasses import dataclass

import torch
from torch import Tensor

from centerclip.clustering import Reducer, Tokens

__all__ = ["Random"]


@dataclass(frozen=True)
class Random(Reducer):
    """Keeps K tokens at random places, the same ones in every segment of the same size."""

    seed: int = 0

    def choose(self, tokens: Tokens, k: int) -> Tensor:
        segments, count, _ = tokens.sequence.shape
        places = torch.randperm(count, generator=torch.Generator().manual_seed(self.seed))[:k]
        return places.to(tokens.x.device).expand(segments, -1)  # [G, K]
