"""Computes what rows of a batch have in common once: a still video's frames, its segments and windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from centerclip.clustering import Tokens

__all__ = ["without_repeats"]


def without_repeats(
    function: Callable[[Tokens], Tensor], tokens: Tokens, same: Sequence[Tensor] | None = None
) -> Tensor:
    """Apply a function to sequences, but only once to successive ones that are equal bit for bit.

    Slides and fixed cameras show the same frame for seconds. Looking for it costs nothing worth measuring
    where pictures move, since a comparison ends at the first difference.

    Args:
        function: x [U, L, D] to [U, ...], each row of the result made from the same row of x alone.
        tokens: x [R, L, D], R at least 1.
        same: [R, ...] each, what decides whether two sequences are equal; by default the tokens, their places
            in a frame, and their sizes, but not the times of their frames.

    Returns:
        [R, ...], what `function(tokens)` returns except for rounding in batches of another size.
    """
    if same is None:
        held = (tokens.x, tokens.positions[..., 1:], tokens.sizes)
        same = [values for values in held if values is not None]
    is_new = [True, *_changes(same)]
    if all(is_new):
        return function(tokens)
    place = torch.tensor([count - 1 for count in accumulate(is_new)], device=tokens.x.device)  # [R]
    first = torch.tensor(is_new, device=tokens.x.device)
    return function(tokens.map(lambda values: values[first]))[place]  # [R, ...]


def _changes(same: Sequence[Tensor]) -> list[bool]:
    """Whether each row but the first differs from the one before in any of the tensors."""
    if same[0].device.type == "cpu":
        return [
            not all(torch.equal(rows[row - 1], rows[row]) for rows in same) for row in range(1, len(same[0]))
        ]
    # On a GPU one comparison of everything, because each answer that comes back has to be waited for.
    differs = torch.stack([(rows[1:] != rows[:-1]).flatten(1).any(1) for rows in same]).any(0)
    return [bool(answer) for answer in differs.tolist()]
