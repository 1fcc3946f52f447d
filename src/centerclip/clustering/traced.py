"""Distances and k-medoids as fixed graphs, for `torch.export`, `torch.compile` and ONNX.

A graph can't look at its values to decide what to do next. So nothing here depends on them: the rounds are
counted instead of tested for convergence, and results are new tensors instead of buffers. Elsewhere, the
faster functions of `distance` and `kmedoids` are used.
"""

import torch
from torch import Tensor

__all__ = ["ROUNDS", "distances", "partition"]

ROUNDS = 16
"""Rounds of k-medoids in a graph. Rounds after convergence change nothing."""


def distances(tokens: Tensor, lengths: Tensor, metric: str, least: float) -> Tensor:
    """Measure distances [B, N, N] float32 within sets of tokens [B, N, D], like `distance.measure`.

    Args:
        tokens: for `cosine`, of unit length.
        lengths: [B, N], lengths of the tokens before that.
        metric: as in `pairwise_distances`.
        least: squared distances below this fraction of the squared length become zero.
    """
    if metric == "manhattan":
        wide = tokens.float()
        return (wide[:, :, None] - wide[:, None]).abs().sum(3)
    origins = _rows(tokens, lengths.argmin(1)[:, None])  # [B, 1, D]
    shifted = tokens.double() - origins.double()
    squares = shifted.square().sum(2)  # [B, N]
    between = squares[:, :, None] + squares[:, None] - 2 * shifted @ shifted.mT
    between = between.where(between >= least * squares[:, :, None], 0).sqrt().float()
    upper = between.triu(1)
    between = upper + upper.mT
    return between.square() / 2 if metric == "cosine" else between


def partition(
    distances: Tensor, k: int, first: Tensor, rounds: int, nearest_to_itself: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return medoids [B, K], labels [B, N] and cost [B], like `kmedoids.partition`.

    Args:
        distances: [B, N, N].
        k: K.
        first: [B], the first seeds.
        rounds: number of rounds.
        nearest_to_itself: distance of a token to itself.
    """
    n = distances.shape[1]
    own = torch.eye(n, dtype=torch.bool, device=distances.device)
    distances = distances.masked_fill(own, nearest_to_itself)
    seeds, nearest = [first], _rows(distances, first[:, None]).squeeze(1)  # [B, N]
    for _ in range(k - 1):
        seeds.append(nearest.argmax(1))
        nearest = nearest.minimum(_rows(distances, seeds[-1][:, None]).squeeze(1))
    medoids = torch.stack(seeds, 1).sort(1).values  # [B, K]
    labels = _rows(distances, medoids).argmin(1)  # [B, N]
    wide, clusters = distances.double(), torch.arange(k, device=labels.device)[:, None]
    for _ in range(rounds):
        together = labels[:, :, None] == labels[:, None]
        sums = wide.where(together, 0).sum(2)  # [B, N], to the token's own cluster
        members = labels[:, None] == clusters  # [B, K, N]
        medoids = sums[:, None].where(members, torch.inf).argmin(2).sort(1).values  # [B, K]
        labels = _rows(distances, medoids).argmin(1)
    cost = _rows(distances, medoids).amin(1).clamp(min=0).sum(1, dtype=torch.float64).float()
    return medoids, labels, cost


def _rows(values: Tensor, places: Tensor) -> Tensor:
    """Gather the rows at places [B, K] of [B, N, D]: [B, K, D]."""
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[2]))
