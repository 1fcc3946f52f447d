"""Pairwise distances of token sets, in float32 whatever surrounds them."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["METRICS", "pairwise_distances"]

METRICS = ("euclidean", "cosine", "manhattan")


@torch.no_grad()
def pairwise_distances(tokens: Tensor, metric: str = "euclidean") -> Tensor:
    """Measure how far the tokens of each set lie from each other.

    Args:
        tokens: [B, N, D], any float dtype; computed in float32. Not modified.
        metric: euclidean, cosine or manhattan.

    Returns:
        [B, N, N] float32, symmetric, exactly zero on the diagonal.
    """
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}, but must be one of {', '.join(METRICS)}")
    with torch.autocast(tokens.device.type, enabled=False):
        tokens = tokens.float()
        if metric == "cosine":
            tokens = torch.nn.functional.normalize(tokens, dim=-1)
        if metric == "manhattan":
            distances = torch.cdist(tokens, tokens, p=1)
        else:
            distances = torch.cdist(tokens, tokens)
        if metric == "cosine":
            distances = distances.square() / 2
        distances.diagonal(dim1=-2, dim2=-1).zero_()
        return torch.minimum(distances, distances.mT)
