"""Merging: which tokens merge, and their means, sizes and owners."""

import pytest
import torch
from token_sets import as_tokens, token_sets
from torch import Tensor

from centerclip.clustering import Tokens, parse_reducer, reduce


def merge(patches: Tensor, k: int, sizes: Tensor | None = None) -> Tokens:
    return reduce(as_tokens(patches, sizes=sizes), k, parse_reducer("merge"))


def angles(*degrees: float) -> Tensor:
    """Unit tokens in a plane."""
    turns = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([turns.cos(), turns.sin()], -1)


def test_the_most_similar_pair_merges_first() -> None:
    # In a single frame, even positions look for partners at odd ones: 0 is 10 degrees from 1, 2 is 20 from 3.
    patches = angles(0, 10, 90, 110)[None, None]
    reduced = merge(patches, 3)
    assert reduced.owners.tolist() == [[0, 0, 1, 2]]
    assert reduced.sizes.tolist() == [[2, 1, 1]]
    torch.testing.assert_close(reduced.patches[0, 0], patches[0, 0, :2].mean(0))
    assert torch.equal(reduced.patches[0, 1:], patches[0, 0, 2:])


def test_a_still_position_merges_over_time() -> None:
    # Alternating along a frame with an even number of positions would put both tokens into the same half.
    frame = 5 * token_sets("random", (1, 4, 8))[0]
    reduced = merge(torch.stack([frame, frame])[None], 4)
    assert reduced.owners.tolist() == [[0, 1, 2, 3, 0, 1, 2, 3]]
    torch.testing.assert_close(reduced.patches[0], frame)


@pytest.mark.parametrize("tokens", [1, 2, 5, 11, 12, 13, 23, 24])
def test_every_token_is_the_mean_of_its_patches(tokens: int) -> None:
    patches = token_sets("clustered", (3, 24, 6)).unflatten(1, (4, 6))
    reduced = merge(patches, tokens)
    assert (reduced.owners.diff(dim=1) == 1).all() or tokens < 24
    sequence = patches.flatten(1, 2)
    for segment in range(3):
        for token in range(tokens):
            members = sequence[segment, reduced.owners[segment] == token]
            assert reduced.sizes[segment, token] == len(members)
            torch.testing.assert_close(reduced.patches[segment, token], members.mean(0))


def test_earlier_sizes_weigh_the_means_and_add_up() -> None:
    patches = angles(0, 10, 90, 180)[None, None]
    sizes = torch.tensor([[[3.0, 1.0, 2.0, 1.0]]])
    reduced = merge(patches, 3, sizes)
    assert reduced.sizes.tolist() == [[4, 2, 1]]
    torch.testing.assert_close(reduced.patches[0, 0], 0.75 * patches[0, 0, 0] + 0.25 * patches[0, 0, 1])


def test_two_stages_account_for_all_patches() -> None:
    patches = token_sets("random", (4, 24, 6)).unflatten(1, (4, 6))
    first = merge(patches, 10)
    # Two segments of the first stage become the frames of one segment of the second.
    second = merge(first.patches.unflatten(0, (2, 2)), 7, first.sizes.unflatten(0, (2, 2)))
    assert second.sizes.sum(1).tolist() == [48, 48]
    mean = (second.patches * second.sizes[..., None]).sum(1) / 48
    torch.testing.assert_close(mean, patches.flatten(1, 2).unflatten(0, (2, 2)).mean((1, 2)))
