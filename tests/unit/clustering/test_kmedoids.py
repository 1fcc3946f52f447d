"""k-medoids by hand, at its edges, and in the surroundings a model puts it in."""

from typing import Any

import pytest
import torch
from token_sets import DEVICES, KINDS, token_sets
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from centerclip.clustering import Clustering, kmedoids, pairwise_distances, spectral_clustering
from centerclip.clustering.kmedoids import _ROUNDS_A_CHECK


def line(*places: float) -> Tensor:
    return torch.tensor(places, dtype=torch.float32)[None, :, None]


def assert_same(one: Clustering, other: Clustering) -> None:
    assert torch.equal(one.medoids, other.medoids)
    assert torch.equal(one.labels, other.labels)
    assert torch.equal(one.cost, other.cost)


def test_two_groups_on_a_line() -> None:
    found = kmedoids(line(0, 1, 2, 10, 11, 12), 2)
    assert found.medoids.tolist() == [[1, 4]]
    assert found.labels.tolist() == [[0, 0, 0, 1, 1, 1]]
    assert found.cost.tolist() == [4.0]
    assert (found.medoids.dtype, found.labels.dtype, found.cost.dtype) == (
        torch.int64,
        torch.int64,
        torch.float32,
    )


def test_seeds_are_the_longest_token_then_the_farthest_ones() -> None:
    # 9 is the longest; 0 is 9 away from it; then 4 and 5 are both 4 away from the nearest: the lower index.
    assert kmedoids(line(5, 0, 4, 9), 3, max_iter=0).medoids.tolist() == [[0, 1, 3]]


def test_without_rounds_tokens_join_the_seeds() -> None:
    found = kmedoids(line(0, 1, 2, 10, 11, 12), 2, max_iter=0)
    assert found.medoids.tolist() == [[0, 5]]
    assert found.labels.tolist() == [[0, 0, 0, 1, 1, 1]]
    assert found.cost.tolist() == [6.0]


def test_ties_go_to_the_lowest_index() -> None:
    # The corners of a square: any is the longest, then the opposite one is farthest, the rest lie halfway.
    square = torch.tensor([[[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]])
    found = kmedoids(square, 2, max_iter=0)
    assert found.medoids.tolist() == [[0, 2]]
    assert found.labels.tolist() == [[0, 0, 1, 0]]
    # Of two members each is as good a medoid.
    assert kmedoids(line(3, 4), 1).medoids.tolist() == [[0]]


@pytest.mark.parametrize("k", [1, 3, 6])
def test_equal_tokens_still_make_k_clusters(k: int) -> None:
    found = kmedoids(torch.full((1, 6, 4), 0.7), k)
    assert found.medoids.tolist() == [list(range(k))]
    assert found.labels.tolist() == [[*range(k), *[0] * (6 - k)]]
    assert found.cost.tolist() == [0.0]


def test_one_cluster_has_the_token_with_the_least_sum() -> None:
    tokens = token_sets("random", (4, 31, 6))
    found = kmedoids(tokens, 1)
    assert torch.equal(found.medoids[:, 0], pairwise_distances(tokens).sum(2).argmin(1))
    assert not found.labels.any()


def test_as_many_clusters_as_tokens_keep_every_token() -> None:
    for kind in KINDS:
        found = kmedoids(token_sets(kind, (2, 17, 6)), 17)
        assert found.medoids.tolist() == found.labels.tolist() == [list(range(17))] * 2
        assert found.cost.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("n", "k", "width", "threads"), [(13, 4, 3, 1), (49, 11, 65, 1), (170, 50, 48, 1), (40, 9, 48, 2)]
)
def test_a_set_is_clustered_alike_alone_and_in_any_batch(
    n: int, k: int, width: int, threads: int, device: str
) -> None:
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


def test_input_and_random_state_stay_and_no_gradient_is_recorded() -> None:
    tokens = token_sets("duplicated", (2, 20, 5)).requires_grad_()
    before, state = tokens.detach().clone(), torch.get_rng_state()
    found = kmedoids(tokens, 6)
    assert torch.equal(tokens, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert not found.cost.requires_grad


def test_strided_tokens_are_as_good_as_contiguous_ones() -> None:
    tokens = token_sets("random", (2, 30, 16))
    strided = tokens.transpose(0, 1).contiguous().transpose(0, 1)
    assert_same(kmedoids(strided, 7), kmedoids(tokens, 7))


class Largest(TorchDispatchMode):
    """Notes the elements of the largest tensor that any operation returns."""

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
    """Notes the operations whose result the host waits for when tensors are on a GPU."""

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
def test_rounds_between_two_checks_change_nothing(
    kind: str, max_iter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = token_sets(kind, (3, 60, 4))
    every_round = kmedoids(tokens, 8, max_iter=max_iter)
    monkeypatch.setitem(_ROUNDS_A_CHECK, "cpu", 8)
    assert_same(kmedoids(tokens, 8, max_iter=max_iter), every_round)


def test_a_gpu_waits_once_for_the_input_and_once_for_eight_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = token_sets("random", (6, 90, 3))
    with Waits() as round_by_round:
        kmedoids(tokens, 9)
    assert 4 <= round_by_round.noted.count("equal") <= 16
    monkeypatch.setitem(_ROUNDS_A_CHECK, "cpu", 8)
    with Waits() as in_groups:
        kmedoids(tokens, 9)
    rounds = round_by_round.noted.count("equal")
    assert in_groups.noted == ["_local_scalar_dense"] + ["equal"] * -(-rounds // 8)


def test_an_empty_batch_has_no_clusters() -> None:
    for algorithm in (kmedoids, spectral_clustering):
        found = algorithm(torch.zeros(0, 5, 2), 3)
        assert (found.medoids.shape, found.labels.shape, found.cost.shape) == ((0, 3), (0, 5), (0,))


@pytest.mark.parametrize("k", [0, -1, 6])
def test_impossible_cluster_counts_are_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k is {k}, but must be from 1 to the 5 tokens"):
        kmedoids(torch.zeros(1, 5, 2), k)


def test_tokens_that_are_not_finite_are_refused() -> None:
    tokens = torch.zeros(2, 5, 2)
    tokens[1, 3, 1] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        kmedoids(tokens, 2)
