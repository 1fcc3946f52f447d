"""Reducers: what they have in common, and what each one does with the tokens."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from token_sets import DEVICES, token_sets
from torch import Tensor

from centerclip.clustering import (
    REDUCERS,
    kmedoids,
    make_reducer,
    reducer_config,
    spectral_clustering,
)
from centerclip.errors import ConfigError

SEGMENTS, FRAMES, PATCHES, WIDTH = 2, 3, 10, 16
TOKENS = FRAMES * PATCHES
KEEPING = [name for name in REDUCERS if name not in {"pool", "merge"}]


def tokens_of_segments(seed: int = 0) -> tuple[Tensor, Tensor]:
    patches = token_sets("clustered", (SEGMENTS, TOKENS, WIDTH), seed).unflatten(1, (FRAMES, PATCHES))
    return patches, token_sets("random", (SEGMENTS, FRAMES, WIDTH), seed)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("tokens", [1, 7, PATCHES, 17, TOKENS])
@pytest.mark.parametrize("name", REDUCERS)
def test_every_reducer_keeps_the_contract(name: str, tokens: int, training: bool, device: str) -> None:
    patches, class_tokens = (part.to(device) for part in tokens_of_segments())
    reduced = make_reducer(name)(patches, class_tokens, tokens, training=training)
    assert reduced.patches.shape == (SEGMENTS, tokens, WIDTH)
    assert reduced.patches.dtype == patches.dtype
    assert reduced.class_tokens is not None
    assert reduced.class_tokens.shape == (SEGMENTS, WIDTH)
    if name != "token_shift":
        torch.testing.assert_close(reduced.class_tokens, class_tokens.mean(1))
    assert (reduced.kept is not None) == (name in KEEPING)
    if reduced.kept is not None:
        assert reduced.kept.shape == (SEGMENTS, tokens)
        assert reduced.kept.dtype == torch.int64
        assert (reduced.kept.diff(dim=1) > 0).all()
        assert (reduced.kept >= 0).all()
        assert (reduced.kept < TOKENS).all()
    if reduced.labels is not None:
        assert reduced.labels.shape == (SEGMENTS, TOKENS)
        assert all(row.unique().tolist() == list(range(tokens)) for row in reduced.labels)
    assert (reduced.sizes is not None) == (name == "merge")


@pytest.mark.parametrize("name", [name for name in REDUCERS if name != "token_shift"])
def test_towers_without_class_tokens_are_served(name: str) -> None:
    assert make_reducer(name)(tokens_of_segments()[0], None, 5).class_tokens is None


@pytest.mark.parametrize("name", REDUCERS)
def test_a_segment_does_not_depend_on_the_others(name: str) -> None:
    patches, class_tokens = tokens_of_segments()
    together = make_reducer(name)(patches, class_tokens, 7)
    alone = make_reducer(name)(patches[1:], class_tokens[1:], 7)
    torch.testing.assert_close(alone.patches[0], together.patches[1])
    for field in ("kept", "labels", "sizes"):
        if getattr(together, field) is not None:
            assert torch.equal(getattr(alone, field)[0], getattr(together, field)[1])


@pytest.mark.parametrize("tokens", [1, 7, 30])
@pytest.mark.parametrize("name", ["kmedoids", "spectral", "sample", "token_shift"])
def test_the_gradient_reaches_the_kept_tokens_alone(name: str, tokens: int) -> None:
    patches, class_tokens = (part.requires_grad_() for part in tokens_of_segments())
    reduced = make_reducer(name)(patches, class_tokens, tokens)
    assert reduced.kept is not None
    assert torch.equal(
        reduced.patches, torch.stack([s[k] for s, k in zip(patches.flatten(1, 2), reduced.kept, strict=True)])
    )
    reduced.patches.sum().backward()
    expected = torch.zeros(SEGMENTS, TOKENS).scatter_(1, reduced.kept, 1.0)
    assert torch.equal(patches.grad.flatten(1, 2), expected[..., None].expand(-1, -1, WIDTH))
    if name != "token_shift":
        reduced.class_tokens.sum().backward()
        torch.testing.assert_close(class_tokens.grad, torch.full_like(class_tokens, 1 / FRAMES))


@pytest.mark.parametrize("name", ["pool", "merge"])
def test_the_gradient_reaches_all_blended_tokens(name: str) -> None:
    patches, class_tokens = tokens_of_segments()
    patches.requires_grad_()
    make_reducer(name)(patches, class_tokens, 7).patches.sum().backward()
    assert (patches.grad > 0).all()


@pytest.mark.parametrize("name", REDUCERS)
def test_autocast_and_half_precision_do_not_change_the_choice(name: str) -> None:
    patches, class_tokens = (part.bfloat16() for part in tokens_of_segments())
    expected = make_reducer(name)(patches.float(), class_tokens.float(), 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reduced = make_reducer(name)(patches, class_tokens, 7)
    assert reduced.patches.dtype == torch.bfloat16
    for field in ("kept", "labels", "sizes"):
        value = getattr(reduced, field)
        assert value is None or torch.equal(value, getattr(expected, field))
    torch.testing.assert_close(reduced.patches.float(), expected.patches, rtol=0.02, atol=0.02)


def test_clustering_reducers_keep_the_medoids_of_the_frame_major_sequence() -> None:
    patches, class_tokens = tokens_of_segments()
    sequence = patches.flatten(1, 2)
    for reducer, found in [
        (make_reducer("kmedoids"), kmedoids(sequence, 7)),
        (
            make_reducer("kmedoids", metric="cosine", max_iter=1),
            kmedoids(sequence, 7, metric="cosine", max_iter=1),
        ),
        (make_reducer("spectral"), spectral_clustering(sequence, 7, sigma="median")),
        (make_reducer("spectral", sigma=2), spectral_clustering(sequence, 7)),
        # The paper's neighbors: five a frame.
        (
            make_reducer("spectral", graph="knn", mutual=True),
            spectral_clustering(sequence, 7, graph="knn", sigma="median", neighbors=15, mutual=True),
        ),
        (
            make_reducer("spectral", graph="knn", neighbors=2),
            spectral_clustering(sequence, 7, graph="knn", sigma="median", neighbors=2),
        ),
    ]:
        reduced = reducer(patches, class_tokens, 7)
        assert torch.equal(reduced.kept, found.medoids)
        assert torch.equal(reduced.labels, found.labels)


def test_frames_of_many_patches_have_five_more_neighbors() -> None:
    sequence = token_sets("random", (1, 200, 6))
    reduced = make_reducer("spectral", graph="knn")(sequence.unflatten(1, (2, 100)), None, 20)
    found = spectral_clustering(sequence, 20, graph="knn", sigma="median", neighbors=15)
    assert torch.equal(reduced.kept, found.medoids)


def test_pool_averages_positions_over_frames() -> None:
    patches, class_tokens = tokens_of_segments()
    pool = make_reducer("pool")
    torch.testing.assert_close(pool(patches, class_tokens, PATCHES).patches, patches.mean(1))
    # Fewer: runs of positions too. More: runs of frames, here frames 0-1 and 1-2. All: nothing to average.
    torch.testing.assert_close(
        pool(patches, None, PATCHES // 2).patches, patches.mean(1).unflatten(1, (5, 2)).mean(2)
    )
    halves = torch.cat([patches[:, :2].mean(1), patches[:, 1:].mean(1)], 1)
    torch.testing.assert_close(pool(patches, None, 2 * PATCHES).patches, halves)
    assert torch.equal(pool(patches, None, TOKENS).patches, patches.flatten(1, 2))


def test_sample_takes_the_middle_of_each_stride() -> None:
    patches, _ = tokens_of_segments()
    sample = make_reducer("sample")
    assert sample(patches, None, 10).kept.tolist() == [[1, 4, 7, 10, 13, 16, 19, 22, 25, 28]] * 2
    assert sample(patches, None, 4).kept.tolist() == [[3, 11, 18, 26]] * 2
    assert sample(patches, None, 30).kept.tolist() == [list(range(30))] * 2


def test_sample_draws_within_each_stride_in_training() -> None:
    patches, _ = tokens_of_segments()
    torch.manual_seed(0)
    drawn = torch.cat([make_reducer("sample")(patches, None, 4, training=True).kept for _ in range(100)])
    edges = [0, 7, 15, 22, 30]
    for stride, (start, end) in enumerate(pairwise(edges)):
        assert drawn[:, stride].unique().tolist() == list(range(start, end))


def test_temporal_shift_takes_channels_from_the_neighboring_frames() -> None:
    # Channel c of frame t is 100 t + c: of 16 channels two come from before and two from after.
    frames = 100.0 * torch.arange(3)[:, None] + torch.arange(WIDTH)
    patches = frames[None, :, None].expand(1, 3, PATCHES, WIDTH)
    shifted = make_reducer("temporal_shift")(patches, frames[None], TOKENS).patches.unflatten(1, (3, PATCHES))
    for t, (before, after) in enumerate([(0, 1), (0, 2), (1, 2)]):
        expected = torch.cat([frames[before, :2], frames[after, 2:4], frames[t, 4:]])
        assert torch.equal(shifted[0, t], expected.expand(PATCHES, -1))


def test_token_shift_shifts_class_tokens_alone() -> None:
    patches, class_tokens = tokens_of_segments()
    reduced = make_reducer("token_shift")(patches, class_tokens, 7)
    assert torch.equal(reduced.patches, make_reducer("sample")(patches, None, 7).patches)
    expected = class_tokens.mean(1)
    expected[:, :2] = class_tokens[:, [0, 0, 1], :2].mean(1)
    expected[:, 2:4] = class_tokens[:, [1, 2, 2], 2:4].mean(1)
    torch.testing.assert_close(reduced.class_tokens, expected)


def test_shifts_leave_a_single_frame_as_it_is() -> None:
    patches, class_tokens = tokens_of_segments()
    for name in ("temporal_shift", "token_shift"):
        reduced = make_reducer(name)(patches[:, :1], class_tokens[:, :1], PATCHES)
        assert torch.equal(reduced.patches, patches[:, 0])
        assert torch.equal(reduced.class_tokens, class_tokens[:, 0])


def test_token_shift_needs_class_tokens() -> None:
    with pytest.raises(ConfigError, match="this tower has none: use temporal_shift"):
        make_reducer("token_shift")(tokens_of_segments()[0], None, 5)


@pytest.mark.parametrize("name", REDUCERS)
@pytest.mark.parametrize("tokens", [0, TOKENS + 1])
def test_impossible_token_counts_are_refused(name: str, tokens: int) -> None:
    patches, class_tokens = tokens_of_segments()
    with pytest.raises(ValueError, match=f"tokens is {tokens}, but must be from 1 to the 30 tokens"):
        make_reducer(name)(patches, class_tokens, tokens)


@pytest.mark.parametrize("name", ["kmedoids", "spectral", "merge"])
def test_tokens_that_are_not_finite_are_refused(name: str) -> None:
    patches, class_tokens = tokens_of_segments()
    patches[1, 2, 3, 4] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        make_reducer(name)(patches, class_tokens, 5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in REDUCERS),
        ("kmedoids", {"metric": "cosine", "max_iter": 5}),
        ("spectral", {"graph": "knn", "sigma": 2.0, "neighbors": 4, "mutual": True, "max_iter": 3}),
    ],
)
def test_a_reducer_is_remade_from_its_config(name: str, options: dict[str, Any]) -> None:
    reducer = make_reducer(name, **options)
    config = reducer_config(reducer)
    assert config["name"] == name
    assert config.items() >= options.items()
    assert make_reducer(**config) == reducer


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("kmeans", {}, "reducer 'kmeans' is unknown: choose one of kmedoids, spectral, pool, sample"),
        ("pool", {"fold": 8}, "reducer pool can't be made with"),
        ("kmedoids", {"metric": "hamming"}, "metric is 'hamming'"),
        ("spectral", {"sigma": -1}, "sigma is -1"),
    ],
)
def test_unknown_names_and_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_reducer(name, **options)
