"""k-medoids: hand-checked cases, batches, precision, memory, and GPU synchronization."""

from typing import Any

import pytest
import torch
from token_sets import DEVICES, KINDS, token_sets
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from centerclip.clustering import Clustering, kmedoids, spectral_clustering
from centerclip.clustering.kmedoids import _ROUNDS_PER_CHECK


def line(*places: float) -> Tensor:
    return torch.tensor(places, dtype=torch.float32)[None, :, None]


def assert_same(one: Clustering, other: Clustering) -> None:
    assert torch.equal(one.medoids, other.medoids)
    assert torch.equal(one.labels, other.labels)
    assert torch.equal(one.cost, other.cost)


@pytest.mark.parametrize(("max_iter", "medoids", "cost"), [(0, [0, 5], 6.0), (100, [1, 4], 4.0)])
def test_two_groups_on_a_line(max_iter: int, medoids: list[int], cost: float) -> None:
    found = kmedoids(line(0, 1, 2, 10, 11, 12), 2, max_iter=max_iter)
    assert found.medoids.tolist() == [medoids]
    assert found.labels.tolist() == [[0, 0, 0, 1, 1, 1]]
    assert found.cost.tolist() == [cost]
    dtypes = found.medoids.dtype, found.labels.dtype, found.cost.dtype
    assert dtypes == (torch.int64, torch.int64, torch.float32)


def test_seeds_are_the_longest_token_then_the_farthest_ones() -> None:
    # 9 is the longest, and 0 the farthest from it. 4 and 5 are both 4 away from a seed: the lower index wins.
    assert kmedoids(line(5, 0, 4, 9), 3, max_iter=0).medoids.tolist() == [[0, 1, 3]]


def test_ties_go_to_the_lowest_index() -> None:
    # All corners of a square are longest, the opposite one is farthest, and the rest are halfway.
    square = torch.tensor([[[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]])
    found = kmedoids(square, 2, max_iter=0)
    assert found.medoids.tolist() == [[0, 2]]
    assert found.labels.tolist() == [[0, 0, 1, 0]]
    # Both members of a pair are equally good medoids.
    assert kmedoids(line(3, 4), 1).medoids.tolist() == [[0]]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("n", "k", "width", "threads"), [(13, 4, 3, 1), (49, 11, 65, 1), (170, 50, 48, 1), (40, 9, 48, 2)]
)
def test_the_batch_does_not_change_a_set(n: int, k: int, width: int, threads: int, device: str) -> None:
    tokens = torch.cat([token_sets(kind, (1, n, width), seed=n) for kind in KINDS]).to(device)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = kmedoids(tokens, k)
        for index in range(len(tokens)):
            own = slice(index, index + 1)
            alone = Clustering(together.medoids[own], together.labels[own], together.cost[own])
            assert_same(kmedoids(tokens[own], k), alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("device", DEVICES)
def test_bfloat16_and_autocast_change_nothing_but_the_values(device: str) -> None:
    tokens = token_sets("clustered", (2, 40, 32)).to(device)
    with torch.autocast(device, dtype=torch.bfloat16):
        assert_same(kmedoids(tokens, 8), kmedoids(tokens, 8))
        within = kmedoids(tokens, 8)
    assert_same(within, kmedoids(tokens, 8))
    assert_same(kmedoids(tokens.bfloat16(), 8), kmedoids(tokens.bfloat16().float(), 8))


def test_input_and_random_state_are_unchanged_and_no_gradient_is_recorded() -> None:
    tokens = token_sets("duplicated", (20, 2, 5)).transpose(0, 1).requires_grad_()
    before, state = tokens.detach().clone(memory_format=torch.contiguous_format), torch.get_rng_state()
    found = kmedoids(tokens, 6)
    assert torch.equal(tokens, before)
    assert_same(found, kmedoids(before, 6))  # strides make no difference
    assert torch.equal(torch.get_rng_state(), state)
    assert not found.cost.requires_grad


class Largest(TorchDispatchMode):
    """Records the size of the largest tensor that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self.elements = max([self.elements, *sizes])
        return result


@pytest.mark.parametrize("kind", ["random", "tight", "equal"])
def test_no_tensor_is_larger_than_the_distances(kind: str) -> None:
    tokens = token_sets(kind, (3, 60, 4))
    with Largest() as largest:
        kmedoids(tokens, 30)
    assert largest.elements == 3 * 60 * 60


class Waits(TorchDispatchMode):
    """Records the operations that would make the host wait for a GPU."""

    names = ("_local_scalar_dense", "equal", "nonzero", "masked_select", "bincount", "repeat_interleave")

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if name in self.names or masked or name.startswith("_unique"):
            self.noted.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_iter", [0, 1, 2, 8, 9, 100])
def test_checking_less_often_changes_nothing(
    kind: str, max_iter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = token_sets(kind, (3, 60, 4))
    every_round = kmedoids(tokens, 8, max_iter=max_iter)
    monkeypatch.setitem(_ROUNDS_PER_CHECK, "cpu", 8)
    assert_same(kmedoids(tokens, 8, max_iter=max_iter), every_round)


def test_a_gpu_waits_for_the_input_and_for_every_eight_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = token_sets("random", (6, 90, 3))
    with Waits() as round_by_round:
        kmedoids(tokens, 9)
    assert 4 <= round_by_round.noted.count("equal") <= 16
    monkeypatch.setitem(_ROUNDS_PER_CHECK, "cpu", 8)
    with Waits() as in_groups:
        kmedoids(tokens, 9)
    rounds = round_by_round.noted.count("equal")
    assert in_groups.noted == ["_local_scalar_dense"] + ["equal"] * -(-rounds // 8)


def test_an_empty_batch_has_no_clusters() -> None:
    for algorithm in (kmedoids, spectral_clustering):
        found = algorithm(torch.zeros(0, 5, 2), 3)
        assert (found.medoids.shape, found.labels.shape, found.cost.shape) == ((0, 3), (0, 5), (0,))


@pytest.mark.parametrize("algorithm", [kmedoids, spectral_clustering])
def test_impossible_cluster_counts_are_refused(algorithm: Any) -> None:
    for k in (0, -1, 6):
        with pytest.raises(ValueError, match=f"k is {k}, but must be from 1 to the 5 tokens"):
            algorithm(torch.zeros(1, 5, 2), k)
