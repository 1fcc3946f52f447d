"""Invariants of every partition."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from centerclip.clustering import Clustering, kmedoids, pairwise_distances, spectral_clustering

# Small integers make equal tokens and ties common and distances exact.
ELEMENTS = st.one_of(st.integers(-2, 2).map(float), st.floats(-8, 8, width=16))
ALGORITHMS = [kmedoids, spectral_clustering]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tensor, int]:
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=3, max_side=9))
    tokens = draw(hnp.arrays(np.float32, shape, elements=ELEMENTS))
    return torch.from_numpy(tokens), draw(st.integers(1, shape[1]))


def sets_of(found: Clustering, order: Tensor) -> list[list[object]]:
    return [found.medoids[order].tolist(), found.labels[order].tolist(), found.cost[order].tolist()]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(problem=problems(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_medoids_are_distinct_and_in_their_own_clusters(
    algorithm: Callable[..., Clustering], problem: tuple[Tensor, int], data: st.DataObject
) -> None:
    tokens, k = problem
    found = algorithm(tokens, k)
    assert found.medoids.shape == (len(tokens), k)
    assert found.labels.shape == tokens.shape[:2]
    assert (found.medoids.diff(dim=1) > 0).all()
    assert torch.equal(found.labels.gather(1, found.medoids), torch.arange(k).expand(len(tokens), -1))
    assert found.cost.isfinite().all()

    order = torch.tensor(data.draw(st.permutations(range(len(tokens)))))
    assert sets_of(algorithm(tokens[order], k), torch.arange(len(tokens))) == sets_of(found, order)


@given(problems())
@settings(max_examples=60, deadline=None)
def test_tokens_are_with_their_nearest_medoid_and_the_cost_is_their_distance(
    problem: tuple[Tensor, int],
) -> None:
    tokens, k = problem
    found = kmedoids(tokens, k)
    to_medoids = pairwise_distances(tokens).gather(
        1, found.medoids[..., None].expand(-1, -1, tokens.shape[1])
    )
    own = to_medoids.gather(1, found.labels[:, None])[:, 0]
    assert torch.equal(own, to_medoids.min(1).values)
    torch.testing.assert_close(found.cost, own.sum(1))


@given(problems())
@settings(max_examples=60, deadline=None)
def test_a_round_never_raises_the_cost(problem: tuple[Tensor, int]) -> None:
    tokens, k = problem
    costs = torch.stack([kmedoids(tokens, k, max_iter=rounds).cost for rounds in range(6)])
    assert (costs.diff(dim=0) <= 1e-5 * costs[:-1]).all()


@given(problems(), st.integers(-20, 20))
@settings(max_examples=60, deadline=None)
def test_scaling_tokens_scales_the_cost_only(problem: tuple[Tensor, int], power: int) -> None:
    tokens, k = problem
    found, scaled = kmedoids(tokens, k), kmedoids(tokens * 2.0**power, k)
    assert torch.equal(scaled.medoids, found.medoids)
    assert torch.equal(scaled.labels, found.labels)
    assert torch.equal(scaled.cost, found.cost * 2.0**power)


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.data())
@settings(max_examples=40, deadline=None)
def test_the_order_of_tokens_does_not_matter_without_ties(seed: int, n: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    # Only the seeds: in an update, both members of a cluster of two are equally good medoids.
    tokens = torch.from_numpy(rng.normal(size=(1, n, 6)) * rng.uniform(1, 3, (1, n, 1)))
    k = data.draw(st.integers(1, n))
    order = torch.tensor(data.draw(st.permutations(range(n))))
    found, moved = kmedoids(tokens, k, max_iter=0), kmedoids(tokens[:, order], k, max_iter=0)
    assert sorted(order[moved.medoids[0]].tolist()) == found.medoids[0].tolist()
    assert order[moved.medoids[0]][moved.labels[0]].tolist() == (
        found.medoids[0][found.labels[0]][order].tolist()
    )
