"""k-medoids with a deterministic start, on batches of token sets.

Every decision about a set rests on that set's distances alone and every tie goes to the lowest index,
so a set has the same medoids alone, in any batch, and on any device that measures the same distances.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from centerclip.clustering.distance import measure, token_lengths

__all__ = ["Clustering", "check_clusters", "kmedoids", "partition"]

_NEAREST = -torch.finfo(torch.float32).tiny
"""A token's distance to itself while clustering: below every other and lost in any sum.

So a token is strictly nearest to itself, also among equal tokens, and a seed is never the farthest.
"""

_ROUNDS_A_CHECK = {"cpu": 1, "cuda": 8}
"""Rounds between two looks at whether labels still change: a GPU would wait for the host at each of them.

Rounds too many change nothing, and most inputs stop within eight.
"""


@dataclass(frozen=True)
class Clustering:
    """A partition of each of B sets of N tokens around K of them.

    Attributes:
        medoids: [B, K] int64, the indices of the center tokens, ascending and distinct.
        labels: [B, N] int64, the cluster 0..K-1 of each token, that of its nearest medoid.
        cost: [B] float32, the sum of all tokens' distances to their medoids.
    """

    medoids: Tensor
    labels: Tensor
    cost: Tensor


def check_clusters(k: int, tokens: Tensor) -> None:
    """Check that sets [B, N, D] can be cut into k clusters.

    Raises:
        ValueError: k outside 1..N.
    """
    if not 1 <= k <= tokens.shape[1]:
        raise ValueError(f"k is {k}, but must be from 1 to the {tokens.shape[1]} tokens of a set")


@torch.no_grad()
def kmedoids(tokens: Tensor, k: int, *, metric: str = "euclidean", max_iter: int = 100) -> Clustering:
    """Partition each set of tokens around k medoids.

    The first seed is the longest token, each next one the token farthest from its nearest seed (KKZ).
    Then tokens join their nearest medoid and each cluster's member with the least summed distance to
    the members becomes its medoid, until no medoid moves. Memory is O(N²) a set, time O(N) a seed and
    O(N²) a round.

    Args:
        tokens: [B, N, D], any float dtype; computed in float32. Not modified.
        k: clusters per set, 1 <= k <= N.
        metric: euclidean, cosine or manhattan, see `pairwise_distances`.
        max_iter: bound on update rounds; most inputs stop within ten.

    Returns:
        The clusters of each set, which don't depend on the other sets. There are always k, also among
        equal tokens.

    Raises:
        ValueError: k outside 1..N, an unknown metric, or tokens not 3-D, not finite, or longer than 1e18.

    Source: CenterCLIP (arXiv 2205.00823) section 3; KKZ (IEEE Signal Processing Letters 1(10), 1994).
    """
    lengths = token_lengths(tokens)
    check_clusters(k, tokens)
    return partition(measure(tokens, lengths, metric), k, first=lengths.argmax(1), max_iter=max_iter)


@torch.no_grad()
def partition(distances: Tensor, k: int, *, first: Tensor, max_iter: int) -> Clustering:
    """`kmedoids` of sets whose distances [B, N, N] are known, from the first seed [B] on.

    The distances are taken over: their diagonal is overwritten.
    """
    distances.diagonal(dim1=1, dim2=2).fill_(_NEAREST)
    medoids = _seeds(distances, first, k)
    nearest, labels = _assign(distances, medoids)
    wide = distances.double()
    every = _ROUNDS_A_CHECK.get(distances.device.type, 1)
    for start in range(0, max_iter, every):
        for _ in range(min(every, max_iter - start)):
            before = labels
            medoids = _update(wide, labels, k)
            nearest, labels = _assign(distances, medoids)
        if torch.equal(labels, before):  # so the next update would find the same medoids
            break
    cost = nearest.clamp_(min=0).sum(1, dtype=torch.float64).float()
    return Clustering(medoids, labels, cost)


def _rows(distances: Tensor, tokens: Tensor) -> Tensor:
    """The rows of [B, N, N] at tokens [B, K] of each set, [B, K, N]."""
    batch, n, _ = distances.shape
    first = torch.arange(0, batch * n, n, device=tokens.device)[:, None]
    return distances.flatten(0, 1).index_select(0, (tokens + first).flatten()).view(*tokens.shape, n)


def _seeds(distances: Tensor, first: Tensor, k: int) -> Tensor:
    """KKZ from the first seed [B] on: k seeds [B, K], ascending."""
    batch, n, _ = distances.shape
    rows = distances.flatten(0, 1)  # [B * N, N]
    first_rows = torch.arange(0, batch * n, n, device=first.device)
    seeds = first.repeat(k, 1)  # [K, B]
    nearest = rows.index_select(0, first_rows + first)  # [B, N]
    row, places = torch.empty_like(nearest), torch.empty_like(first)
    # Four kernels a seed on little data: allocating their results would cost a fifth of the time.
    for seed in seeds[1:]:
        torch.argmax(nearest, 1, out=seed)
        torch.add(first_rows, seed, out=places)
        torch.index_select(rows, 0, places, out=row)
        torch.minimum(nearest, row, out=nearest)
    return seeds.mT.sort(1).values


def _assign(distances: Tensor, medoids: Tensor) -> tuple[Tensor, Tensor]:
    """Each token's distance to its nearest medoid, and that medoid's number, both [B, N]."""
    nearest, labels = _rows(distances, medoids).min(1)
    return nearest, labels


def _update(distances: Tensor, labels: Tensor, k: int) -> Tensor:
    """The member of each cluster with the least summed distance to the members, [B, K] ascending.

    float64 holds the sum of float32 distances exactly unless they span more than six decades, so equal
    sums are equal whatever the order of their terms.

    Args:
        distances: [B, N, N] float64.
        labels: [B, N].
    """
    batch, n = labels.shape
    clusters = (
        labels + torch.arange(0, batch * k, k, device=labels.device)[:, None]
    )  # among those of all sets
    # Adding up rows takes a third of the time of adding up what is left of the matrix under a mask.
    to_clusters = distances.new_zeros(batch * k, n).index_add_(0, clusters.flatten(), distances.flatten(0, 1))
    sums = to_clusters.view(batch, k, n).gather(1, labels[:, None]).squeeze(1)  # [B, N], to the own cluster
    least = sums.new_full((batch, k), torch.inf).scatter_reduce_(1, labels, sums, "amin")
    indices = torch.arange(n, device=labels.device)
    candidates = indices.where(sums == least.gather(1, labels), n)
    medoids = labels.new_full((batch, k), n).scatter_reduce_(1, labels, candidates, "amin")
    return medoids.sort(1).values
