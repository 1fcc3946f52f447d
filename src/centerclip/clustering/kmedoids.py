"""k-medoids with a deterministic start, on batches of token sets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from centerclip.clustering.distance import pairwise_distances

__all__ = ["Clustering", "kmedoids"]


@dataclass(frozen=True)
class Clustering:
    """Medoids [B, K] int64 ascending, labels [B, N] int64, cost [B] float32 of every set."""

    medoids: Tensor
    labels: Tensor
    cost: Tensor


@torch.no_grad()
def kmedoids(tokens: Tensor, k: int, *, metric: str = "euclidean", max_iter: int = 100) -> Clustering:
    """Partition each set of tokens around k medoids.

    Args:
        tokens: [B, N, D], any float dtype; computed in float32. Not modified.
        k: clusters per set, 1 <= k <= N.
        max_iter: bound on update rounds; most inputs stop within five.

    Returns:
        medoids [B, k] int64, ascending; labels [B, N] int64; cost [B] float32.

    Raises:
        ValueError: k outside 1..N, or tokens not 3-D, or not finite.

    Source: CenterCLIP (arXiv 2205.00823) section 3; KKZ 1994.
    """
    if not 1 <= k <= tokens.shape[1]:
        raise ValueError(f"k is {k}, but must be from 1 to the {tokens.shape[1]} tokens of a set")
    if not torch.isfinite(tokens).all():
        raise ValueError("tokens hold NaN or infinite values; distances between them mean nothing")
    distances = pairwise_distances(tokens, metric)
    # A token is strictly nearest to itself, also among duplicates.
    distances.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
    batch = torch.arange(len(tokens), device=tokens.device)
    seeds = [tokens.float().norm(dim=-1).argmax(1)]
    nearest = distances[batch, seeds[0]]
    for _ in range(k - 1):
        seeds.append(nearest.argmax(1))
        nearest = torch.minimum(nearest, distances[batch, seeds[-1]])
    medoids = torch.stack(seeds, 1).sort(1).values
    for _ in range(max_iter):
        labels = distances[batch[:, None], medoids].argmin(1)
        own = labels[:, :, None] == labels[:, None, :]
        sums = torch.where(own, distances, 0).sum(-1, dtype=torch.float64)
        best = torch.where(torch.arange(k, device=tokens.device)[:, None] == labels[:, None], sums[:, None], torch.inf)
        moved = best.argmin(-1).sort(1).values
        if torch.equal(moved, medoids):
            break
        medoids = moved
    to_medoids = distances[batch[:, None], medoids]  # [B, K, N]
    cost, labels = to_medoids.min(1)
    return Clustering(medoids, labels, cost.clamp(min=0).sum(-1))
