"""Reducers: their common contract, and what each one does."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import pytest
import torch
from token_sets import DEVICES, as_tokens, kept_of, token_sets
from torch import Tensor

from centerclip.clustering import (
    REDUCERS,
    Clustering,
    Reducer,
    Tokens,
    kmedoids,
    parse_reducer,
    reduce,
    reducer_config,
    spectral_clustering,
)
from centerclip.errors import ConfigError

SEGMENTS, FRAMES, PATCHES, WIDTH = 2, 3, 10, 16
COUNT = FRAMES * PATCHES
BLENDING = {"pool", "merge"}
WEIGHTED = ("kmedoids(weighted=true)", "spectral(weighted=true)")
EVERY = (*REDUCERS, *WEIGHTED)


def tokens_of_segments(seed: int = 0, *, class_tokens: bool = True) -> Tokens:
    patches = token_sets("clustered", (SEGMENTS, COUNT, WIDTH), seed).unflatten(1, (FRAMES, PATCHES))
    return as_tokens(patches, token_sets("random", (SEGMENTS, FRAMES, WIDTH), seed) if class_tokens else None)


def run(name: str | Reducer, tokens: Tokens, k: int, *, training: bool = False) -> Tokens:
    return reduce(tokens, k, parse_reducer(name), training=training)


def assert_equal(one: Tokens, other: Tokens) -> None:
    torch.testing.assert_close(one.x, other.x)
    torch.testing.assert_close(one.positions, other.positions)
    for field in ("sizes", "owners"):
        values = getattr(one, field), getattr(other, field)
        assert values == (None, None) or torch.equal(*values)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("k", [1, 7, PATCHES, 17, COUNT])
@pytest.mark.parametrize("name", EVERY)
def test_every_reducer_keeps_the_contract(name: str, k: int, training: bool, device: str) -> None:
    tokens = tokens_of_segments().map(lambda values: values.to(device))
    reduced = run(name, tokens, k, training=training)
    assert reduced.x.shape == (SEGMENTS, 1 + k, WIDTH)
    assert reduced.x.dtype == tokens.x.dtype
    if name != "token_shift":
        torch.testing.assert_close(reduced.class_token, tokens.class_token.mean(1))
    assert reduced.positions.shape == (SEGMENTS, k, 3)
    if name not in BLENDING:
        kept = kept_of(reduced, PATCHES)
        assert (kept.diff(dim=1) > 0).all()
        assert (kept >= 0).all()
        assert (kept < COUNT).all()
    if reduced.owners is not None:
        assert reduced.owners.shape == (SEGMENTS, COUNT)
        assert all(row.unique().tolist() == list(range(k)) for row in reduced.owners)
    weighted = name == "merge" or name in WEIGHTED
    assert (reduced.sizes is not None) == (reduced.bias is not None) == weighted


@pytest.mark.parametrize("class_tokens", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_a_segment_does_not_depend_on_the_others(name: str, class_tokens: bool) -> None:
    if name == "token_shift" and not class_tokens:
        with pytest.raises(ConfigError, match="this tower has none: use temporal_shift"):
            run(name, tokens_of_segments(class_tokens=False), 7)
        return
    tokens = tokens_of_segments(class_tokens=class_tokens)
    together, alone = run(name, tokens, 7), run(name, tokens.map(lambda values: values[1:]), 7)
    assert together.x.shape == (SEGMENTS, class_tokens + 7, WIDTH)
    assert alone.owners is None or torch.equal(alone.owners[0], together.owners[1])
    assert_equal(alone.map(lambda values: values[0]), together.map(lambda values: values[1]))


@pytest.mark.parametrize("k", [1, 7, 30])
@pytest.mark.parametrize("name", ["kmedoids", "spectral", "sample", "token_shift"])
def test_only_kept_tokens_have_a_gradient(name: str, k: int) -> None:
    tokens = tokens_of_segments()
    tokens.x.requires_grad_()
    reduced = run(name, tokens, k)
    kept = kept_of(reduced, PATCHES)
    chosen = [own[places] for own, places in zip(tokens.sequence, kept, strict=True)]
    assert torch.equal(reduced.patches, torch.stack(chosen))
    (gradient,) = torch.autograd.grad(reduced.patches.sum(), tokens.x, retain_graph=True)
    expected = torch.zeros(SEGMENTS, COUNT).scatter_(1, kept, 1.0)
    assert torch.equal(gradient[:, :, 1:].flatten(1, 2), expected[..., None].expand(-1, -1, WIDTH))
    if name != "token_shift":
        (gradient,) = torch.autograd.grad(reduced.class_token.sum(), tokens.x)
        torch.testing.assert_close(gradient[:, :, 0], torch.full((SEGMENTS, FRAMES, WIDTH), 1 / FRAMES))


@pytest.mark.parametrize("name", sorted(BLENDING))
def test_all_blended_tokens_have_a_gradient(name: str) -> None:
    tokens = tokens_of_segments()
    tokens.x.requires_grad_()
    run(name, tokens, 7).patches.sum().backward()
    assert (tokens.x.grad[:, :, 1:] > 0).all()


@pytest.mark.parametrize("name", EVERY)
def test_autocast_and_half_precision_do_not_change_the_choice(name: str) -> None:
    tokens = tokens_of_segments()
    half = Tokens(tokens.x.bfloat16(), tokens.positions, has_class_token=True)
    expected = run(name, Tokens(half.x.float(), tokens.positions, has_class_token=True), 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reduced = run(name, half, 7)
    assert reduced.x.dtype == torch.bfloat16
    assert torch.equal(reduced.positions, expected.positions)
    for field in ("owners", "sizes"):
        value = getattr(reduced, field)
        assert value is None or torch.equal(value, getattr(expected, field))
    torch.testing.assert_close(reduced.x.float(), expected.x, rtol=0.02, atol=0.02)


def test_clustering_reducers_keep_the_medoids_of_the_frame_major_sequence() -> None:
    tokens = tokens_of_segments()
    sequence, knn = tokens.sequence, {"graph": "knn", "sigma": "median"}
    mutual = {"mutual": True, "neighbors": 14}  # the paper's k is five per frame and counts the token itself
    for name, found in [
        ("kmedoids", kmedoids(sequence, 7)),
        ("kmedoids(metric=cosine, max_iter=1)", kmedoids(sequence, 7, metric="cosine", max_iter=1)),
        ("spectral", spectral_clustering(sequence, 7, sigma="median")),
        ("spectral(sigma=2)", spectral_clustering(sequence, 7)),
        ("spectral(graph=knn, mutual=true)", spectral_clustering(sequence, 7, **knn, **mutual)),
        ("spectral(graph=knn, neighbors=2)", spectral_clustering(sequence, 7, **knn, neighbors=2)),
    ]:
        reduced = run(name, tokens, 7)
        assert torch.equal(kept_of(reduced, PATCHES), found.medoids)
        assert torch.equal(reduced.owners, found.labels)
    # Frames of at least 100 patches have five more neighbors.
    sequence = token_sets("random", (1, 200, 6))
    reduced = run("spectral(graph=knn)", as_tokens(sequence.unflatten(1, (2, 100))), 20)
    found = spectral_clustering(sequence, 20, **knn, neighbors=14)
    assert torch.equal(kept_of(reduced, 100), found.medoids)


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_change_no_choice_and_count_the_patches_per_frame(name: str) -> None:
    tokens = tokens_of_segments()
    plain, weighted = run(name.partition("(")[0], tokens, 7), run(name, tokens, 7)
    assert plain.sizes is None
    assert torch.equal(weighted.x, plain.x)
    assert torch.equal(weighted.positions, plain.positions)
    assert torch.equal(weighted.owners, plain.owners)
    for sizes, owners in zip(weighted.sizes, weighted.owners, strict=True):
        torch.testing.assert_close(FRAMES * sizes, owners.bincount(minlength=7).float())
    torch.testing.assert_close(weighted.bias[:, 0, 0, 0], torch.zeros(SEGMENTS))  # the class token's


@pytest.mark.parametrize("name", WEIGHTED)
def test_sizes_of_two_stages_account_for_all_patches(name: str) -> None:
    tokens = as_tokens(token_sets("clustered", (4, COUNT, WIDTH)).unflatten(1, (FRAMES, PATCHES)))
    first = run(name, tokens, 12)
    torch.testing.assert_close(first.sizes.sum(1), torch.full((4,), float(PATCHES)))
    # Pairs of segments of the first stage are segments of two sequences in the second.
    second = run(name, first.reshape(2, 2), 5)
    torch.testing.assert_close(second.sizes.sum(1), torch.full((2,), float(PATCHES)))
    earlier = first.sizes.view(2, -1)
    summed = torch.zeros(2, 5).scatter_add(1, second.owners, earlier)
    torch.testing.assert_close(2 * second.sizes, summed)
    assert not torch.equal(second.sizes, run(name, Tokens(first.x, first.positions).reshape(2, 2), 5).sizes)


def test_options_added_later_leave_earlier_fingerprints_alone() -> None:
    assert reducer_config(parse_reducer("kmedoids")) == {
        "name": "kmedoids", "metric": "euclidean", "max_iter": 100
    }  # fmt: skip
    assert reducer_config(parse_reducer("spectral")) == {
        "name": "spectral", "graph": "heat", "sigma": "median", "neighbors": None, "mutual": False,
        "max_iter": 100,
    }  # fmt: skip
    assert reducer_config(parse_reducer("kmedoids(weighted=true)"))["weighted"] is True
    assert parse_reducer("kmedoids(weighted=false)").label == "kmedoids"


def test_pool_averages_positions_over_frames() -> None:
    tokens = tokens_of_segments()
    patches = tokens.patches
    reduced = run("pool", tokens, PATCHES)
    torch.testing.assert_close(reduced.patches, patches.mean(1))
    torch.testing.assert_close(reduced.positions, tokens.positions.mean(1))
    # Fewer tokens: runs of positions too. More: runs of frames, here 0-1 and 1-2. All: nothing to average.
    pairs = patches.mean(1).unflatten(1, (5, 2)).mean(2)
    torch.testing.assert_close(run("pool", tokens, PATCHES // 2).patches, pairs)
    halves = torch.cat([patches[:, :2].mean(1), patches[:, 1:].mean(1)], 1)
    torch.testing.assert_close(run("pool", tokens, 2 * PATCHES).patches, halves)
    assert torch.equal(run("pool", tokens, COUNT).patches, patches.flatten(1, 2))


def test_sample_takes_the_middle_of_each_stride_or_in_training_any() -> None:
    tokens = tokens_of_segments()
    for k, kept in ((10, [*range(1, 30, 3)]), (4, [3, 11, 18, 26]), (30, [*range(30)])):
        assert kept_of(run("sample", tokens, k), PATCHES).tolist() == [kept] * 2
    torch.manual_seed(0)
    runs = [run("sample", tokens, 4, training=True) for _ in range(100)]
    drawn = torch.cat([kept_of(reduced, PATCHES) for reduced in runs])
    for stride, (start, end) in enumerate(pairwise([0, 7, 15, 22, 30])):
        assert drawn[:, stride].unique().tolist() == list(range(start, end))


@pytest.mark.parametrize(
    ("frames", "patches", "k"), [(3, 196, 147), (3, 49, 12), (3, 49, 49), (2, 49, 24), (6, 49, 49)]
)
def test_sample_keeps_other_places_in_every_frame(frames: int, patches: int, k: int) -> None:
    # At 196 patches and K = 147, and at 49 patches and K = 12, the middles of the strides are the same places
    # in all three frames.
    tokens = as_tokens(torch.randn(1, frames, patches, WIDTH), torch.randn(1, frames, WIDTH))
    kept = kept_of(run("sample", tokens, k), patches)[0]
    places = [set((kept[kept // patches == frame] % patches).tolist()) for frame in range(frames)]
    assert len(kept.unique()) == k
    assert all(not first & second for first, second in combinations(places, 2))


def test_temporal_shift_takes_channels_from_the_neighboring_frames() -> None:
    # Channel c of frame t is 100 t + c. Of 16 channels, two come from before and two from after.
    frames = 100.0 * torch.arange(3)[:, None] + torch.arange(WIDTH)
    tokens = as_tokens(frames[None, :, None].expand(1, 3, PATCHES, WIDTH), frames[None])
    shifted = run("temporal_shift", tokens, COUNT).patches.unflatten(1, (3, PATCHES))
    for t, (before, after) in enumerate([(0, 1), (0, 2), (1, 2)]):
        expected = torch.cat([frames[before, :2], frames[after, 2:4], frames[t, 4:]])
        assert torch.equal(shifted[0, t], expected.expand(PATCHES, -1))


def test_token_shift_shifts_class_tokens_alone() -> None:
    tokens = tokens_of_segments()
    reduced = run("token_shift", tokens, 7)
    assert torch.equal(reduced.patches, run("sample", tokens, 7).patches)
    own = tokens.class_token
    expected = own.mean(1)
    expected[:, :2] = own[:, [0, 0, 1], :2].mean(1)
    expected[:, 2:4] = own[:, [1, 2, 2], 2:4].mean(1)
    torch.testing.assert_close(reduced.class_token, expected)
    single = tokens_of_segments().map(lambda values: values[:, :1])
    for name in ("temporal_shift", "token_shift"):
        assert torch.equal(run(name, single, PATCHES).x, single.x[:, 0])


def test_impossible_counts_and_values_are_refused() -> None:
    for k in (0, COUNT + 1):
        with pytest.raises(ValueError, match=f"tokens is {k}, but must be from 1 to the 30 tokens"):
            run("sample", tokens_of_segments(), k)
    tokens = tokens_of_segments()
    tokens.x[1, 2, 3, 4] = torch.nan
    for name in ("kmedoids", "spectral", "merge"):
        with pytest.raises(ValueError, match="NaN"):
            run(name, tokens, 5)


@pytest.mark.parametrize(
    "text",
    [
        *EVERY,
        "kmedoids(metric=cosine, max_iter=5)",
        "spectral(graph=knn, sigma=2.0, neighbors=4, mutual=true, max_iter=3)",
    ],
)
def test_a_reducer_is_remade_from_its_config_and_its_label(text: str) -> None:
    reducer = parse_reducer(text)
    assert reducer.label == text
    assert reducer.name == text.partition("(")[0]
    for given in (reducer_config(reducer), reducer.label, reducer):
        assert parse_reducer(given) == reducer


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("kmeans", "reducer 'kmeans' is unknown: choose one of kmedoids, spectral, pool, sample"),
        ("pool(fold=8)", r"reducer pool can't be made with {'fold': 8}.*its options: none"),
        ("kmedoids(metric=hamming)", "metric is 'hamming'"),
        ({"name": "spectral", "sigma": -1}, "sigma is -1"),
        ("spectral(neighbors=2.5)", "neighbors is 2.5"),
        ("spectral(mutual=yes)", "mutual is 'yes'"),
        ("kmedoids(max_iter=many)", "max_iter is 'many'"),
        ("kmedoids(weighted=1)", "weighted is 1, but must be true or false"),
        ("spectral(weighted=yes)", "weighted is 'yes'"),
        ({"metric": "cosine"}, "give a name"),
        (7, "an instance of a subclass of centerclip.clustering.Reducer"),
        (Reducer, r"is the class Reducer: give an instance, Reducer\(\)"),
    ],
)
def test_invalid_reducers_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_reducer(given)


def test_equal_numbers_are_the_same_option() -> None:
    for reducer, option in ((parse_reducer("spectral(sigma=2)"), "sigma"), (Scaled(2), "by")):
        assert str(reducer_config(reducer)[option]) == "2.0"


@dataclass(frozen=True)
class Scaled(Reducer):
    by: float = 1.0


@dataclass(frozen=True)
class Mine(Reducer):
    """Returns what a test tells it to."""

    result: Callable[[Tokens, int], Any]

    def choose(self, tokens: Tokens, k: int) -> Tensor | Clustering:
        assert not torch.is_grad_enabled()
        return self.result(tokens, k)


class MyBlend(Mine):
    def blend(self, tokens: Tokens, k: int) -> Tensor:
        return self.result(tokens, k)


class Weighted(MyBlend):
    weighted = True


def test_tokens_chosen_in_any_order_are_kept_in_sequence_order() -> None:
    tokens = tokens_of_segments()
    reduced = run(Mine(lambda tokens, k: torch.tensor([[9, 4, 21], [0, 29, 3]])), tokens, 3)
    assert kept_of(reduced, PATCHES).tolist() == [[4, 9, 21], [0, 3, 29]]
    assert torch.equal(reduced.patches[0, 2], tokens.patches[0, 2, 1])
    assert reduced.owners is None


def test_blended_tokens_share_sizes() -> None:
    weights = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0]]).expand(1, 2, 4)
    tokens = as_tokens(torch.eye(4)[None, None], sizes=torch.tensor([[[2.0, 4.0, 1.0, 3.0]]]))
    reduced = run(Weighted(lambda tokens, k: weights), tokens, 2)
    assert torch.equal(reduced.patches, weights)
    assert reduced.positions[0, :, 2].tolist() == [0.5, 1.5]
    assert reduced.sizes.tolist() == [[4.0, 3.0]]  # half of the second token each, none of the last
    torch.testing.assert_close(reduced.bias, reduced.sizes.log()[:, None, None])


def clustering(medoids: list[int], *, labels: int) -> Clustering:
    return Clustering(torch.tensor([medoids, [4, 5, 6]]), torch.zeros(2, labels).long(), torch.zeros(2))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda tokens, k: [[1, 2, 3]], r"returned kept of list, but must return torch.int64 \[2, 3\]"),
        (lambda tokens, k: torch.zeros(2, k), r"kept of torch.float32 \[2, 3\]"),
        (lambda tokens, k: torch.tensor([[1, 2], [3, 4]]), r"kept of torch.int64 \[2, 2\]"),
        (lambda tokens, k: torch.tensor([[1, 2, 3], [4, 4, 5]]), "return 3 different indices"),
        (lambda tokens, k: torch.tensor([[1, 2, 3], [4, 5, 30]]), "from 0 to 29"),
        (lambda tokens, k: torch.tensor([[-1, 2, 3], [4, 5, 6]]), "from 0 to 29"),
        (lambda tokens, k: clustering([3, 2, 1], labels=30), "medoids must ascend"),
        (lambda tokens, k: clustering([1, 2, 3], labels=3), r"labels of torch.int64 \[2, 3\]"),
    ],
)
def test_invalid_choices_are_refused(result: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        run(Mine(result), tokens_of_segments(), 3)
    assert "test_reducers:Mine" in str(error.value)


def test_a_weighted_reducer_must_say_what_its_tokens_stand_for() -> None:
    class Weighted(Mine):
        @property
        def weighted(self) -> bool:
            return True

    with pytest.raises(ConfigError, match="Weighted is weighted, so choose must return a Clustering"):
        run(Weighted(lambda tokens, k: torch.arange(k).expand(2, -1)), tokens_of_segments(), 3)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.zeros(2, 3, 29), r"torch.float32 \[2, 3, 29\], but must return floats \[2, 3, 30\]"),
        (torch.zeros(2, 3, 30).long(), "weights of torch.int64"),
        (torch.full((2, 3, 30), 1 / 29), "sum to 1"),
        (torch.full((2, 3, 30), torch.nan), "sum to 1"),
        (torch.tensor([2.0, -1.0] + [0.0] * 28).expand(2, 3, 30), "at least 0"),
    ],
)
def test_invalid_weights_are_refused(weights: Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(MyBlend(lambda tokens, k: weights), tokens_of_segments(), 3)


def test_a_reducer_without_a_method_or_with_options_that_cannot_be_saved_is_refused() -> None:
    with pytest.raises(ConfigError, match="has neither choose nor blend"):
        run(Reducer(), tokens_of_segments(), 3)
    with pytest.raises(ConfigError, match="Mine can't be saved with result="):
        reducer_config(Mine(len))
