"""k-medoids with a deterministic start, on batches of token sets.

Each set is clustered by its own distances alone, and ties go to the lowest index. So a set has the same
medoids in any batch and on any device that measures the same distances.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from centerclip.clustering import traced
from centerclip.clustering.distance import measure, token_lengths

__all__ = ["Clustering", "check_clusters", "kmedoids", "partition"]

_NEAREST = -torch.finfo(torch.float32).tiny
"""A token's distance to itself while clustering: less than any other, and negligible in sums.

It makes every token strictly nearest to itself, even among equal tokens, and seeds never the farthest.
"""

_ROUNDS_PER_CHECK = {"cpu": 1, "cuda": 8}
"""Rounds between convergence checks, each of which makes a GPU wait for the host.

Extra rounds change nothing, and most inputs converge within eight.
"""


@dataclass(frozen=True)
class Clustering:
    """Partitions of B sets of N tokens into K clusters each.

    Attributes:
        medoids: [B, K] int64, indices of the center tokens, ascending and distinct.
        labels: [B, N] int64 in 0..K-1, the nearest medoid of each token.
        cost: [B] float32, the summed distances of all tokens to their medoids.
    """

    medoids: Tensor
    labels: Tensor
    cost: Tensor


def check_clusters(k: int, tokens: Tensor) -> None:
    """Raise ValueError if sets [B, N, D] can't be divided into k clusters."""
    if not 1 <= k <= tokens.shape[1]:
        raise ValueError(f"k is {k}, but must be from 1 to the {tokens.shape[1]} tokens of a set")


@torch.no_grad()
def kmedoids(tokens: Tensor, k: int, *, metric: str = "euclidean", max_iter: int = 100) -> Clustering:
    """Partition each set of tokens around k medoids.

    The first seed is the longest token; each further seed is the token farthest from its nearest seed (KKZ).
    Then two steps alternate until no medoid moves: tokens join their nearest medoid, and the member with the
    least summed distance to its cluster becomes the medoid. Per set, memory is O(N²); time is O(N) per seed
    and O(N²) per round.

    Args:
        tokens: [B, N, D], any float dtype; computed in float32. Not modified.
        k: clusters per set, 1 <= k <= N.
        metric: euclidean, cosine or manhattan, see `pairwise_distances`.
        max_iter: maximum number of rounds; most inputs stop within ten.

    Returns:
        Exactly k clusters per set, even among equal tokens. They don't depend on the other sets.

    Raises:
        ValueError: k outside 1..N, an unknown metric, or tokens not 3-D, not finite, or longer than 1e18.

    Source: CenterCLIP (arXiv 2205.00823) section 3; KKZ (IEEE Signal Processing Letters 1(10), 1994).
    """
    lengths = token_lengths(tokens)
    check_clusters(k, tokens)
    return partition(measure(tokens, lengths, metric), k, first=lengths.argmax(1), max_iter=max_iter)


@torch.no_grad()
def partition(distances: Tensor, k: int, *, first: Tensor, max_iter: int) -> Clustering:
    """`kmedoids` from distances [B, N, N], whose diagonal is overwritten, and the first seeds [B]."""
    if torch.compiler.is_compiling():
        return Clustering(*traced.partition(distances, k, first, min(max_iter, traced.ROUNDS), _NEAREST))
    distances.diagonal(dim1=1, dim2=2).fill_(_NEAREST)
    medoids = _seeds(distances, first, k)
    nearest, labels = _assign(distances, medoids)
    wide = distances.double()
    every = _ROUNDS_PER_CHECK.get(distances.device.type, 1)
    for start in range(0, max_iter, every):
        for _ in range(min(every, max_iter - start)):
            before = labels
            medoids = _update(wide, labels, k)
            nearest, labels = _assign(distances, medoids)
        if torch.equal(labels, before):  # the next update would find the same medoids
            break
    cost = nearest.clamp_(min=0).sum(1, dtype=torch.float64).float()
    return Clustering(medoids, labels, cost)


def _seeds(distances: Tensor, first: Tensor, k: int) -> Tensor:
    """Choose seeds [B, K], ascending, by KKZ from the first ones [B]."""
    batch, n, _ = distances.shape
    rows = distances.flatten(0, 1)  # [B * N, N]
    first_rows = torch.arange(0, batch * n, n, device=first.device)
    seeds = first.repeat(k, 1)  # [K, B]
    nearest = rows.index_select(0, first_rows + first)  # [B, N]
    row, places = torch.empty_like(nearest), torch.empty_like(first)
    # Four small kernels per seed: allocating their results would cost a fifth of the time.
    for seed in seeds[1:]:
        torch.argmax(nearest, 1, out=seed)
        torch.add(first_rows, seed, out=places)
        torch.index_select(rows, 0, places, out=row)
        torch.minimum(nearest, row, out=nearest)
    return seeds.mT.sort(1).values


def _assign(distances: Tensor, medoids: Tensor) -> tuple[Tensor, Tensor]:
    """Find each token's distance to its nearest medoid, and that medoid's number, both [B, N]."""
    batch, n, _ = distances.shape
    first = torch.arange(0, batch * n, n, device=medoids.device)[:, None]
    rows = distances.flatten(0, 1).index_select(0, (medoids + first).flatten())  # [B * K, N]
    nearest, labels = rows.view(*medoids.shape, n).min(1)
    return nearest, labels


def _update(distances: Tensor, labels: Tensor, k: int) -> Tensor:
    """Find the member of each cluster with the least summed distance to the others, [B, K] ascending.

    Distances [B, N, N] are float64, which sums float32 values exactly unless they span more than six decades.
    So equal sums compare equal regardless of the order of their terms.
    """
    batch, n = labels.shape
    clusters = labels + torch.arange(0, batch * k, k, device=labels.device)[:, None]  # numbered across sets
    # Summing rows takes a third of the time of summing the masked matrix.
    to_clusters = distances.new_zeros(batch * k, n).index_add_(0, clusters.flatten(), distances.flatten(0, 1))
    sums = to_clusters.view(batch, k, n).gather(1, labels[:, None]).squeeze(1)  # [B, N], to its own cluster
    least = sums.new_full((batch, k), torch.inf).scatter_reduce_(1, labels, sums, "amin")
    indices = torch.arange(n, device=labels.device)
    candidates = indices.where(sums == least.gather(1, labels), n)
    medoids = labels.new_full((batch, k), n).scatter_reduce_(1, labels, candidates, "amin")
    return medoids.sort(1).values
