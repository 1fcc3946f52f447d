"""Batches of videos with different numbers of valid frames: apart into equal ones, and together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

__all__ = ["by_length", "join_rows"]


def by_length(frames: Tensor, mask: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Split a batch into parts whose videos have equally many valid frames.

    Args:
        frames: [B, T, 3, H, W].
        mask: [B, T] bool, or None where all frames are valid (then nothing is copied).

    Yields:
        rows [b] int64 of the batch, and their valid frames [b, V, 3, H, W] in the order of time.

    Raises:
        ValueError: a mask of another shape or dtype, or a video without a valid frame.
    """
    everything = torch.arange(frames.shape[0], device=frames.device)
    if mask is None:
        yield everything, frames
        return
    if mask.dtype != torch.bool or mask.shape != frames.shape[:2]:
        raise ValueError(
            f"mask is {mask.dtype} {tuple(mask.shape)}: bool {tuple(frames.shape[:2])} is needed"
        )
    mask = mask.to(frames.device)
    counts = mask.sum(dim=1)
    lengths = sorted(set(counts.tolist()))
    if lengths == [frames.shape[1]]:
        yield everything, frames
        return
    if 0 in lengths:
        raise ValueError("a video of the batch has no valid frame: leave it out")
    for length in lengths:
        rows = everything[counts == length]
        valid = frames[rows][mask[rows]]  # [b*V, 3, H, W]
        yield rows, valid.view(len(rows), length, *frames.shape[2:])  # [b, V, 3, H, W]


def join_rows(parts: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Put (rows [b], values [b, ...]) of each part back into the order of the batch: [B, ...]."""
    if len(parts) == 1:
        return parts[0][1]
    order = torch.cat([rows for rows, _ in parts]).argsort()
    return torch.cat([values for _, values in parts])[order]  # [B, ...]
