"""The spectral recipes compared with the paper's variant, written here with numpy and scipy alone.

The tokens are those of nearly still scenes, near enough for the paper's sigma of 2.0.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from token_sets import as_tokens, kept_of

from centerclip.clustering import parse_reducer, reduce
from centerclip.training.config import load_config

RECIPES = sorted((Path(__file__).parents[2] / "configs" / "paper").glob("*-spectral.toml"))
Array = NDArray[np.float64]

SIZES = [(2, 49, 49), (3, 49, 49), (4, 49, 49), (2, 100, 60)]
"""Frames of a segment, patches of a frame, tokens to keep: B6-6,49, B6-4,49, B6-3,49, and a finer grid."""


def paper_k(frames: int, patches: int) -> int:
    """Neighbors of a token, itself included."""
    return 5 * frames + (5 if patches >= 100 else 0)


def spectral_medoids(tokens: Array, keep: int, *, k: int, sigma: float = 2.0) -> list[int]:
    """Cluster tokens [N, D] on the graph of their k nearest neighbors, each token among its own."""
    distances = cdist(tokens, tokens)
    near = np.zeros(distances.shape, dtype=bool)
    np.put_along_axis(near, np.argsort(distances, axis=1, kind="stable")[:, :k], values=True, axis=1)
    weights = np.where(near | near.T, np.exp(-(distances**2) / (2 * sigma**2)), 0.0)
    scale = np.diag(weights.sum(1) ** -0.5)
    laplacian = np.eye(len(tokens)) - scale @ weights @ scale
    _, vectors = scipy.linalg.eigh(laplacian, subset_by_index=[0, keep - 1])
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return kmedoids(cdist(rows, rows), keep)


def kmedoids(distances: Array, count: int) -> list[int]:
    """Alternate between labels and medoids until none moves, from seeds each farthest from the others."""
    medoids = [0]
    while len(medoids) < count:
        medoids.append(int(distances[medoids].min(0).argmax()))
    for _ in range(100):
        before, medoids = medoids, sorted(medoids)
        labels = distances[medoids].argmin(0)
        labels[medoids] = np.arange(count)
        groups = [np.flatnonzero(labels == number) for number in range(count)]
        medoids = sorted(int(group[distances[np.ix_(group, group)].sum(1).argmin()]) for group in groups)
        if medoids == before:
            break
    return medoids


def scene(frames: int, patches: int, seed: int) -> torch.Tensor:
    """Make a segment's patches [1, n, P, D] of one picture that changes a little from frame to frame."""
    generator = torch.Generator().manual_seed(seed)
    picture = torch.randn(1, 1, patches, 192, generator=generator)
    return 0.2 * (picture + 0.5 * torch.randn(1, frames, patches, 192, generator=generator))


def share(reducer: str | dict[str, Any], frames: int, patches: int, keep: int) -> float:
    """Compute the mean share of the oracle's tokens that a reducer keeps too."""
    shares = []
    for seed in range(4):
        segment = scene(frames, patches, seed)
        reduced = reduce(as_tokens(segment), keep, parse_reducer(reducer))
        expected = spectral_medoids(segment.flatten(0, 2).double().numpy(), keep, k=paper_k(frames, patches))
        shares.append(len({*kept_of(reduced, patches)[0].tolist()} & {*expected}) / keep)
    return sum(shares) / len(shares)


@pytest.mark.parametrize(("frames", "patches", "keep"), SIZES)
def test_recipes_keep_the_tokens_of_the_papers_variant(frames: int, patches: int, keep: int) -> None:
    reducers = [load_config(path).model.reducer for path in RECIPES]
    assert len(reducers) >= 8
    assert all(reducer == reducers[0] for reducer in reducers)
    assert share(reducers[0], frames, patches, keep) >= 0.98


def test_other_graphs_keep_other_tokens() -> None:
    # Otherwise the test above wouldn't show that the variant is the paper's.
    more = {"name": "spectral", "graph": "knn", "sigma": 2.0, "neighbors": paper_k(4, 49)}
    assert share(more, 4, 49, 49) < 0.9
    assert share("spectral", 4, 49, 49) < 0.6
