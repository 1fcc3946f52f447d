"""Spectral clustering: k-medoids of tokens placed by the smooth functions on their similarity graph.

Like `kmedoids` it decides about each set by that set alone. Knows no token order.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize, threshold

from centerclip.clustering.distance import measure, token_lengths
from centerclip.clustering.kmedoids import Clustering, check_clusters, partition

__all__ = ["GRAPHS", "check_graph", "spectral_clustering"]

GRAPHS = ("heat", "knn")

_STEPS = 2.0**15
"""Steps a unit to which distances between rows are rounded, coarser than the solver's errors of about 1e-6.

Rows of two separate parts of the graph are sqrt 2 apart, rows deep inside one part 0: many ties, which
the solver's errors would break at random. None of these values lies near the middle of a step.
"""

_LOWEST = 2.0**-10
"""What the known eigenvalue is lowered to at most, far above the rounding of those that are 0."""

_LEAST = 2.0**-40
"""Affinity, some 1e-12, up to which one is made 0.

The solver errs by some 1e-7 in any case. Multiplied with each other, such numbers fall below 1e-38, where
processors take ten times as long: at N = 588 the solver took three times as long in all.
"""


def check_graph(graph: str, sigma: float | Literal["median"], neighbors: int | None) -> None:
    """Check the description of a similarity graph, as `spectral_clustering` takes it.

    Raises:
        ValueError: an unknown graph, sigma not positive and finite, or fewer than one neighbor.
    """
    if graph not in GRAPHS:
        raise ValueError(f"graph is {graph!r}, but must be one of {', '.join(GRAPHS)}")
    if sigma != "median" and not (isinstance(sigma, int | float) and 0 < sigma < math.inf):
        raise ValueError(f"sigma is {sigma!r}, but must be a positive number or 'median'")
    if neighbors is not None and not (isinstance(neighbors, int) and neighbors >= 1):
        raise ValueError(f"neighbors is {neighbors!r}, but must be at least 1, or None for a default")


@torch.no_grad()
def spectral_clustering(
    tokens: Tensor,
    k: int,
    *,
    graph: str = "heat",
    sigma: float | Literal["median"] = 2.0,
    neighbors: int | None = None,
    mutual: bool = False,
    max_iter: int = 100,
) -> Clustering:
    """Partition each set of tokens by k-medoids on the spectral embedding of its similarity graph.

    Two tokens at Euclidean distance d have the affinity exp(-d² / 2 sigma²), a token and itself 1. The
    rows of the eigenvectors to the k smallest eigenvalues of the normalized Laplacian, scaled to unit
    length, are clustered like tokens; as all are equally long, the first seed is token 0. Memory is
    O(N²) a set, time O(N³).

    Args:
        tokens: [B, N, D], any float dtype; computed in float32. Not modified.
        k: clusters per set, 1 <= k <= N.
        graph: `heat` joins all tokens; `knn` those of which one is among the nearest of the other.
        sigma: width of the affinity in units of distance, or `median` for the median distance between
            two tokens of the set. Affinities are 0 beyond 7.4 sigma, so far tokens need `median`.
        neighbors: how many nearest tokens `knn` takes, N - 1 at most; None takes 1 + log2 N, rounded up
            (of the order of log N: von Luxburg 2007, section 8.2).
        mutual: whether `knn` asks that each of the two is among the nearest of the other.
        max_iter: bound on the update rounds of k-medoids.

    Returns:
        Medoids and labels of the tokens; the cost is that of the k-medoids on the rows.

    Raises:
        ValueError: k outside 1..N, an argument out of its range, or tokens not 3-D, not finite, or longer
            than 1e18.

    Source: CenterCLIP (arXiv 2205.00823) section 3; Ng, Jordan, Weiss (NIPS 2001); signs after Bro,
    Acar, Kolda (Journal of Chemometrics 22, 2008).
    """
    check_graph(graph, sigma, neighbors)
    lengths = token_lengths(tokens)
    check_clusters(k, tokens)
    n = tokens.shape[1]
    if neighbors is None:
        neighbors = 1 + math.ceil(math.log2(n))
    embeddings = lengths.new_empty(len(tokens), n, k)
    with torch.autocast(tokens.device.type, enabled=False):
        for embedding, distances, of_set in zip(
            embeddings, measure(tokens, lengths, "euclidean"), tokens.float(), strict=True
        ):
            affinity = _affinity(distances, sigma)
            if graph == "knn":
                affinity *= _nearest(distances, min(neighbors, n - 1), mutual)
            vectors = _bro_signs(_smoothest(affinity, k), of_set)
            # Equal tokens have equal rows, but the solver gives them only up to rounding.
            equal = distances.argmin(1)  # the lowest index of an equal token, often its own
            embedding[:] = normalize(vectors, dim=1)[equal]
    lengths = embeddings.any(2).float()  # 1, or 0 for a row of zeros; rounding of 1 is no reason to choose
    between_rows = measure(embeddings, lengths, "euclidean").mul_(_STEPS).round_().div_(_STEPS)
    return partition(between_rows, k, first=lengths.argmax(1), max_iter=max_iter)


def _affinity(distances: Tensor, sigma: float | Literal["median"]) -> Tensor:
    """exp(-d² / 2 sigma²) of one set's distances [N, N]; its diagonal is 1, so no degree is 0."""
    n = len(distances)
    if sigma == "median" and n > 1:
        left, right = torch.triu_indices(n, n, 1, device=distances.device)
        # 0 where most tokens are equal: then only equal ones have an affinity.
        scaled = distances / distances[left, right].median().clamp(min=torch.finfo(torch.float32).tiny)
    else:
        scaled = distances / (1.0 if sigma == "median" else sigma)
    # Less than the least is not computed either: it may be below 1e-38.
    exponent = scaled.square_().mul_(-0.5).clamp_(min=math.log(_LEAST) - 1)
    return threshold(exponent.exp_(), _LEAST, 0.0, inplace=True)


def _nearest(distances: Tensor, neighbors: int, mutual: bool) -> Tensor:
    """Whether two tokens of one set are neighbors, or the same, [N, N] bool; ties to the lowest index."""
    own_first = distances.clone().fill_diagonal_(-1)
    farthest = own_first.topk(neighbors + 1, largest=False).values.amax(1, keepdim=True)
    nearer, tied = own_first < farthest, own_first == farthest
    chosen = nearer | (tied & (tied.cumsum(1) <= neighbors + 1 - nearer.sum(1, keepdim=True)))
    return chosen & chosen.mT if mutual else chosen | chosen.mT


def _smoothest(affinity: Tensor, k: int) -> Tensor:
    """Eigenvectors [N, k] to the k smallest eigenvalues of I - Dg^-1/2 W Dg^-1/2, smallest first.

    They are those to the largest of M = Dg^-1/2 W Dg^-1/2, of which one is known: 1, to the roots of the
    degrees. As the solver errs by a share of the largest, and those about the k-th are often 1e-6 apart, the
    known one is lowered, but not below the k-th, so its vector may stand later in the order. On B/16 tokens
    of real frames (N = 588, k = 160) that raises the medoids shared with float64 from 145 to 158.
    """
    degrees = affinity.sum(1, dtype=torch.float64)
    scale, known = degrees.rsqrt().float(), (degrees / degrees.sum()).sqrt().float()
    similar = (scale[:, None] * affinity).mul_(scale)  # M
    # The squares of the k - 1 others add up to |M|² - 1 at most.
    squares = torch.linalg.vector_norm(similar, dtype=torch.float64).square()
    bound = ((squares - 1) / max(k - 1, 1)).clamp(_LOWEST**2, 1).sqrt()
    similar.addr_((bound - 1).float() * known, known)
    vectors: Tensor = torch.linalg.eigh(similar).eigenvectors
    return vectors[:, -k:].flip(1)


def _bro_signs(vectors: Tensor, tokens: Tensor) -> Tensor:
    """Eigenvectors [N, k] with the sign of their signed, squared projections onto the tokens [N, D].

    A solver may return either sign. Distances between rows don't depend on it, the rows do.
    """
    projections = vectors.mT @ tokens  # [k, D]
    towards = (projections * projections.abs()).sum(1)
    return torch.where(towards < 0, -vectors, vectors)
