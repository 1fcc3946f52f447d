"""Spectral clustering: k-medoids on the spectral embedding of the tokens' similarity graph."""

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
"""Distances between rows are rounded to multiples of 1/_STEPS, above the solver's errors of about 1e-6.

Rows of separate graph components are sqrt(2) apart and rows within one are 0 apart. The solver's errors would
break these many ties at random. Neither value is near a rounding boundary.
"""

_SETS_PER_CALL = {"cuda": 16}
"""Sets whose graphs and eigenvectors are computed together; elsewhere one by one, which stays in the cache.

It is always this many: solvers and sums round differently for another number of sets, and a set's medoids
mustn't depend on the batch.
"""

_LOWEST = 2.0**-10
"""Lower bound for the reduced known eigenvalue, far above the rounding errors of zero eigenvalues."""

_LEAST = 2.0**-40
"""Affinities up to this, about 1e-12, become 0; the solver's errors are about 1e-7 anyway.

Products of such small numbers are denormal, which is ten times slower on CPUs: the solver took three times as
long at N = 588.
"""


def check_graph(graph: str, sigma: float | Literal["median"], neighbors: int | None) -> None:
    """Raise ValueError for graph options that `spectral_clustering` doesn't accept."""
    if graph not in GRAPHS:
        raise ValueError(f"graph is {graph!r}, but must be one of {', '.join(GRAPHS)}")
    if sigma != "median" and not (isinstance(sigma, int | float) and 0 < sigma < math.inf):
        raise ValueError(f"sigma is {sigma!r}, but must be a positive number or 'median'")
    if neighbors is not None and not (isinstance(neighbors, int) and neighbors >= 1):
        raise ValueError(
            f"neighbors is {neighbors!r}, but must be a whole number of at least 1, or None for the default"
        )


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

    Two tokens at Euclidean distance d have the affinity exp(-d² / 2 sigma²). The embedding's rows come from
    the eigenvectors of the k smallest eigenvalues of the normalized Laplacian, scaled to unit length. They
    are clustered like tokens; since all are equally long, the first seed is token 0. Solvers return
    eigenvectors with arbitrary signs, which don't change distances between rows. Per set, memory is O(N²) and
    time O(N³).

    Args:
        tokens: [B, N, D], any float dtype; computed in float32. Not modified.
        k: clusters per set, 1 <= k <= N.
        graph: `heat` connects all tokens; `knn` connects nearest neighbors.
        sigma: width of the affinity in units of distance, or `median` for the set's median distance.
            Affinities are 0 beyond 7.4 sigma, so distant tokens need `median`.
        neighbors: neighbors per token of `knn`, at most N - 1. The token itself isn't one of them, but the
            paper's k counts it, so k is `neighbors` + 1. None means 1 + log2 N, rounded up (of the order of
            log N: von Luxburg 2007, section 8.2).
        mutual: whether `knn` connects only tokens that are neighbors of each other.
        max_iter: maximum number of k-medoids rounds.

    Returns:
        Medoids and labels of the tokens; the cost is measured between rows of the embedding.

    Raises:
        ValueError: k outside 1..N, an invalid option, or tokens not 3-D, not finite, or longer than 1e18.

    Source: CenterCLIP (arXiv 2205.00823) section 3; Ng, Jordan, Weiss (NIPS 2001).
    """
    check_graph(graph, sigma, neighbors)
    lengths = token_lengths(tokens)
    check_clusters(k, tokens)
    n = tokens.shape[1]
    if neighbors is None:
        neighbors = 1 + math.ceil(math.log2(n))
    embeddings = lengths.new_empty(len(tokens), n, k)
    step = _SETS_PER_CALL.get(tokens.device.type, 1)
    with torch.autocast(tokens.device.type, enabled=False):
        every = measure(tokens, lengths, "euclidean")
        for start in range(0, len(every), step):
            own = embeddings[start : start + step]
            distances = _filled(every[start : start + step], step)
            affinity = _affinity(distances, sigma)
            if graph == "knn":
                affinity *= _nearest(distances, min(neighbors, n - 1), mutual)
            # Equal tokens have equal rows, but the solver returns them only up to rounding.
            equal = distances.argmin(2, keepdim=True)  # the lowest index, often the token's own
            rows = normalize(_smoothest(affinity, k), dim=2)
            own.copy_(rows.take_along_dim(equal, 1)[: len(own)])  # [b, N, K]
    lengths = embeddings.any(2).float()  # 1, or 0 for a zero row; rounding mustn't choose the first seed
    between_rows = measure(embeddings, lengths, "euclidean").mul_(_STEPS).round_().div_(_STEPS)
    return partition(between_rows, k, first=lengths.argmax(1), max_iter=max_iter)


def _filled(distances: Tensor, count: int) -> Tensor:
    """Return exactly `count` sets [count, N, N]: those of [b, N, N], and repetitions of the first one."""
    missing = count - len(distances)
    return torch.cat([distances, distances[:1].expand(missing, -1, -1)]) if missing else distances


def _affinity(distances: Tensor, sigma: float | Literal["median"]) -> Tensor:
    """Compute exp(-d² / 2 sigma²) of distances [..., N, N]; the diagonal is 1, so no degree is 0."""
    n = distances.shape[-1]
    if sigma == "median" and n > 1:
        left, right = torch.triu_indices(n, n, 1, device=distances.device)
        # The median is 0 if most tokens are equal; then only equal tokens have an affinity.
        median = distances[..., left, right].median(-1).values.clamp(min=torch.finfo(torch.float32).tiny)
        scaled = distances / median[..., None, None]
    else:
        scaled = distances / (1.0 if sigma == "median" else sigma)
    # Clamped before exp, which could return denormal numbers.
    exponent = scaled.square_().mul_(-0.5).clamp_(min=math.log(_LEAST) - 1)
    return threshold(exponent.exp_(), _LEAST, 0.0, inplace=True)


def _nearest(distances: Tensor, neighbors: int, mutual: bool) -> Tensor:
    """Mark neighbors, and each token itself, [..., N, N] bool; ties go to the lowest index."""
    own_first = distances.clone()
    own_first.diagonal(dim1=-2, dim2=-1).fill_(-1)
    farthest = own_first.topk(neighbors + 1, largest=False).values.amax(-1, keepdim=True)
    nearer, tied = own_first < farthest, own_first == farthest
    chosen = nearer | (tied & (tied.cumsum(-1) <= neighbors + 1 - nearer.sum(-1, keepdim=True)))
    return chosen & chosen.mT if mutual else chosen | chosen.mT


def _smoothest(affinity: Tensor, k: int) -> Tensor:
    """Compute the eigenvectors [..., N, k] of the k smallest eigenvalues of I - M, M = Dg^-1/2 W Dg^-1/2.

    They belong to the largest eigenvalues of M. The largest is known: 1, with the square roots of the degrees
    as its vector. The solver's error is proportional to the largest eigenvalue, and those near the k-th are
    often 1e-6 apart, so the known one is lowered, but not below the k-th. Its vector may therefore appear
    later in the order. On B/16 tokens of real frames (N = 588, k = 160), this raises the number of medoids
    shared with float64 from 145 to 158.
    """
    degrees = affinity.sum(-1, dtype=torch.float64)
    scale = degrees.rsqrt().float()
    known = (degrees / degrees.sum(-1, keepdim=True)).sqrt().float()
    similar = (scale[..., None] * affinity).mul_(scale[..., None, :])  # M
    # The squares of the k - 1 other eigenvalues sum to at most |M|² - 1.
    squares = torch.linalg.vector_norm(similar, dim=(-2, -1), dtype=torch.float64).square()
    bound = ((squares - 1) / max(k - 1, 1)).clamp(_LOWEST**2, 1).sqrt()
    lowered = (bound - 1).float()[..., None] * known
    similar.add_(lowered[..., None] * known[..., None, :])
    vectors: Tensor = torch.linalg.eigh(similar).eigenvectors
    return vectors[..., -k:].flip(-1)
