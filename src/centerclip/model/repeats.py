"""Computes repeated rows of a batch only once, such as the equal frames of a still video."""

from collections.abc import Callable, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from centerclip.clustering import Tokens

__all__ = ["without_repeats"]


def without_repeats(
    function: Callable[[Tokens], Tensor], tokens: Tokens, same: Sequence[Tensor] | None = None
) -> Tensor:
    """Apply a function to sequences, but only once to successive ones that are bitwise equal.

    Slides and fixed cameras show the same frame for seconds. For moving pictures the check costs next to
    nothing, since comparisons stop at the first difference.

    Args:
        function: x [U, L, D] to [U, ...], row by row.
        tokens: x [R, L, D], R at least 1.
        same: [R, ...] each, the values that decide whether two sequences are equal. By default the tokens,
            their places in a frame, and their sizes, but not their times.

    Returns:
        [R, ...], equal to `function(tokens)` except for rounding in batches of another size.
    """
    if same is None:
        fields = (tokens.x, tokens.positions[..., 1:], tokens.sizes)
        same = [values for values in fields if values is not None]
    is_new = [True, *_changes(same)]
    if all(is_new):
        return function(tokens)
    place = torch.tensor([count - 1 for count in accumulate(is_new)], device=tokens.x.device)  # [R]
    first = torch.tensor(is_new, device=tokens.x.device)
    return function(tokens.map(lambda values: values[first]))[place]  # [R, ...]


def _changes(same: Sequence[Tensor]) -> list[bool]:
    """Whether each row but the first differs from the previous one in any of the tensors."""
    if same[0].device.type == "cpu":
        return [
            not all(torch.equal(rows[row - 1], rows[row]) for rows in same) for row in range(1, len(same[0]))
        ]
    # One comparison of everything on a GPU, because reading each result waits for the device.
    differs = torch.stack([(rows[1:] != rows[:-1]).flatten(1).any(1) for rows in same]).any(0)
    return [bool(answer) for answer in differs.tolist()]
