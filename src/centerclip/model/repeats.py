"""Computes what rows of a batch have in common once: a still video's frames, its segments and windows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise

import torch
from torch import Tensor

__all__ = ["without_repeats"]


def without_repeats(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """Apply a function to rows, but once only to successive rows that are equal bit for bit.

    Slides and fixed cameras show the same frame for seconds. Looking for it costs nothing worth measuring
    where pictures move, since a comparison ends at the first difference.

    Args:
        function: [U, ...] to [U, ...], each row of the result made from the same row of its argument alone.
        rows: [R, ...], R at least 1.

    Returns:
        [R, ...], what `function(rows)` gives but for rounding in batches of another size.
    """
    is_new = [True, *_changes(rows)]
    if all(is_new):
        return function(rows)
    place = torch.tensor([count - 1 for count in accumulate(is_new)], device=rows.device)  # [R]
    return function(rows[torch.tensor(is_new, device=rows.device)])[place]  # [R, ...]


def _changes(rows: Tensor) -> list[bool]:
    """Whether each row but the first differs from the one before."""
    if rows.device.type == "cpu":
        return [not torch.equal(before, row) for before, row in pairwise(rows)]
    # On a GPU one comparison of everything, because each answer that comes back has to be waited for.
    differs: list[bool] = (rows[1:] != rows[:-1]).flatten(1).any(1).tolist()
    return differs
