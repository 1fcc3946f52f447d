"""Spectral clustering: its graphs and eigenvectors, degenerate input, independence of solver and batch."""

import math
from typing import Any

import pytest
import torch
from token_sets import DEVICES, KINDS, token_sets

from centerclip.clustering import kmedoids, pairwise_distances, spectral, spectral_clustering
from centerclip.clustering.spectral import _affinity, _nearest, _smoothest

GRAPHS: list[dict[str, Any]] = [
    {},
    {"sigma": "median"},
    {"graph": "knn"},
    {"graph": "knn", "neighbors": 3, "sigma": "median"},
    {"graph": "knn", "neighbors": 1, "mutual": True},
]


def rings(n: int = 24) -> torch.Tensor:
    """Two concentric rings, inner and outer tokens alternating: [1, 2n, 2]."""
    angles = torch.arange(n) * 2 * math.pi / n
    ring = torch.stack([angles.cos(), angles.sin()], 1)
    return torch.stack([ring, 4 * ring], 1).flatten(0, 1)[None]


def test_the_graph_separates_rings_that_distances_cannot() -> None:
    found = spectral_clustering(rings(), 2, graph="knn", neighbors=2, sigma=1.0)
    assert found.labels[0, ::2].unique().numel() == found.labels[0, 1::2].unique().numel() == 1
    assert found.labels[0, 0] != found.labels[0, 1]
    by_distance = kmedoids(rings(), 2).labels[0]
    assert by_distance[::2].unique().numel() == 2


@pytest.mark.parametrize("options", GRAPHS[:4])
def test_separate_groups_are_clusters_and_their_members_tie(options: dict[str, Any]) -> None:
    # Members of a group are equally far apart: the lowest index is the medoid despite the solver's rounding.
    which = torch.tensor([2, 0, 1, 0, 2, 1, 1, 0, 2, 2, 0, 1])
    tokens = (torch.eye(12, 15) + 100 * torch.eye(15)[12 + which])[None]
    found = spectral_clustering(tokens, 3, **options)
    assert found.medoids.tolist() == [[0, 1, 2]]
    assert found.labels.tolist() == [[[1, 2, 0][group] for group in which.tolist()]]


@pytest.mark.parametrize("options", GRAPHS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_input_gives_k_clusters(kind: str, options: dict[str, Any]) -> None:
    # Includes graphs without edges (affinities underflow at scale 100), disconnected and uniform graphs.
    assert spectral_clustering(token_sets(kind, (1, 1, 3)), 1, **options).medoids.tolist() == [[0]]
    for scale in (1e-6, 1.0, 100.0):
        tokens = scale * token_sets(kind, (2, 15, 8))
        for k in (1, 4, 15):
            found = spectral_clustering(tokens, k, **options)
            assert (found.medoids.diff(dim=1) > 0).all()
            assert torch.equal(found.labels.gather(1, found.medoids), torch.arange(k).expand(2, -1))
            assert found.cost.isfinite().all()


def test_equal_tokens_are_one_place_in_the_embedding() -> None:
    tokens = token_sets("duplicated", (4, 30, 6))
    found = spectral_clustering(tokens, 5, sigma="median")
    for points, medoids in zip(tokens, found.medoids, strict=True):
        for medoid in medoids.tolist():
            assert medoid == next(i for i in range(30) if torch.equal(points[i], points[medoid]))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("options", GRAPHS)
def test_the_batch_does_not_change_a_set(options: dict[str, Any], device: str) -> None:
    tokens = torch.cat([token_sets(kind, (1, 37, 9)) for kind in KINDS]).to(device)
    together = spectral_clustering(tokens, 9, **options)
    for index in range(len(tokens)):
        alone = spectral_clustering(tokens[index : index + 1], 9, **options)
        for field in ("medoids", "labels", "cost"):
            assert torch.equal(getattr(alone, field)[0], getattr(together, field)[index])


@pytest.mark.parametrize("options", GRAPHS[:4])
def test_sets_computed_together_as_on_a_gpu_are_as_alone(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not `tight` nor mutual neighbors, with eigenvalues so close that a matrix's place in memory decides.
    tokens = torch.cat([token_sets(kind, (1, 37, 9)) for kind in KINDS if kind != "tight"])
    one_by_one = spectral_clustering(tokens, 9, **options)
    monkeypatch.setitem(spectral._SETS_PER_CALL, "cpu", 5)  # the last group has to be filled up
    together = spectral_clustering(tokens, 9, **options)
    assert torch.equal(one_by_one.medoids, together.medoids)
    assert torch.equal(one_by_one.labels, together.labels)
    torch.testing.assert_close(one_by_one.cost, together.cost, rtol=1e-4, atol=1e-3)


def test_signs_of_the_solver_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = torch.cat([token_sets(kind, (1, 37, 9)) for kind in KINDS])
    expected = spectral_clustering(tokens, 9, sigma="median")
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, 1.0])
    monkeypatch.setattr(spectral, "_smoothest", lambda affinity, k: _smoothest(affinity, k) * signs)
    flipped = spectral_clustering(tokens, 9, sigma="median")
    for field in ("medoids", "labels", "cost"):
        assert torch.equal(getattr(flipped, field), getattr(expected, field))


def laplacian_of(affinity: torch.Tensor) -> torch.Tensor:
    scale = affinity.double().sum(1).rsqrt()
    return torch.eye(len(affinity), dtype=torch.float64) - scale[:, None] * affinity * scale


@pytest.mark.parametrize("seed", range(3))
def test_vectors_match_float64_although_eigenvalues_are_close(seed: int) -> None:
    # As in real videos: three frames alike, and the median distance for sigma.
    scene = token_sets("random", (1, 64, 48), seed).repeat(1, 3, 1)
    tokens = scene + 0.3 * token_sets("random", (1, 192, 48), seed + 10)
    affinity = _affinity(pairwise_distances(tokens)[0], "median")
    k = 60
    values, vectors = torch.linalg.eigh(laplacian_of(affinity))
    expected = vectors[:, :k] @ vectors[:, :k].mT
    found = _smoothest(affinity, k).double()
    assert 0 < values[k] - values[k - 1] < 2e-4
    # The error is 1e-6 to 2e-6; with the plain Laplacian in float32 it would be 1e-4 to 2e-4.
    assert (found @ found.mT - expected).abs().max() < 1e-5


def test_affinities_too_small_to_matter_are_zero() -> None:
    places = torch.tensor([0.0, 2.0, 14.8, 15.0])
    affinity = _affinity((places[:, None] - places).abs(), 2.0)
    expected = [1, math.exp(-0.5), math.exp(-0.5 * 7.4**2), 0]
    assert affinity[0].tolist() == pytest.approx(expected, rel=1e-5, abs=0)


def test_vectors_match_float64_although_groups_are_hardly_connected() -> None:
    # Groups are 8 sigma apart, with affinities of 1e-14, which only float64 keeps.
    group = token_sets("random", (1, 8, 4))[0]
    tokens = torch.cat([group + 12.0 * number for number in range(6)])
    distances = pairwise_distances(tokens[None])[0]
    exact = torch.exp(-distances.double().square() / 18)
    assert ((exact > 0) & (exact < 1e-12)).any()
    expected = torch.linalg.eigh(laplacian_of(exact)).eigenvectors[:, :6]
    found = _smoothest(_affinity(distances, 3.0), 6).double()
    assert (found @ found.mT - expected @ expected.mT).abs().max() < 1e-5


@pytest.mark.parametrize("k", [1, 2, 5, 14, 15])
@pytest.mark.parametrize("kind", ["random", "clustered", "equal"])
@pytest.mark.parametrize("graph", ["heat", "knn", "none"])
def test_vectors_have_the_least_variation_on_any_graph(kind: str, k: int, graph: str) -> None:
    distances = pairwise_distances(token_sets(kind, (1, 15, 4)))[0]
    affinity = _affinity(distances, "median")
    if graph == "knn":
        affinity *= _nearest(distances, 2, mutual=False)
    if graph == "none":
        affinity = torch.eye(15)
    laplacian = laplacian_of(affinity)
    vectors = _smoothest(affinity, k).double()
    torch.testing.assert_close(vectors.mT @ vectors, torch.eye(k, dtype=torch.float64), rtol=0, atol=1e-5)
    # By Ky Fan's theorem only these vectors minimize the trace.
    variation = torch.trace(vectors.mT @ laplacian @ vectors)
    torch.testing.assert_close(variation, torch.linalg.eigvalsh(laplacian)[:k].sum(), rtol=0, atol=1e-5)


def test_neighbors_by_hand() -> None:
    # Nearest to 0 is 1, to 1 is 0, to 3 is 1, to 7 is 3.
    places = torch.tensor([0.0, 1.0, 3.0, 7.0])
    distances = (places[:, None] - places).abs()
    union = [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]
    mutual = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert _nearest(distances, 1, mutual=False).int().tolist() == union
    assert _nearest(distances, 1, mutual=True).int().tolist() == mutual
    # In a tie the lowest index wins: 0 chooses 1, and all others choose 0.
    found = _nearest(torch.ones(4, 4).fill_diagonal_(0), 1, mutual=False)
    assert found.int().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]


def test_more_neighbors_than_tokens_make_the_whole_graph() -> None:
    tokens = token_sets("random", (1, 12, 4))
    whole = spectral_clustering(tokens, 3)
    assert torch.equal(spectral_clustering(tokens, 3, graph="knn", neighbors=99).medoids, whole.medoids)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"graph": "epsilon"}, "graph is 'epsilon', but must be one of heat, knn"),
        ({"sigma": 0.0}, "sigma is 0.0, but must be a positive number or 'median'"),
        ({"sigma": math.nan}, "sigma is nan"),
        ({"sigma": "mean"}, "sigma is 'mean'"),
        ({"neighbors": 0}, "neighbors is 0, but must be a whole number of at least 1"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spectral_clustering(torch.zeros(1, 4, 2), 2, **options)
