"""Puts a reduction between two blocks: frames into segments, segments through the reducer, and back.

Owns the grouping of segments of unequal length. It knows neither how tokens are chosen nor what
encodes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain

import torch
from torch import Tensor

from centerclip.clustering import Reducer, Tokens, reduce
from centerclip.schedule import Reduction, segment_sizes

__all__ = ["reduce_segments"]


def reduce_segments(
    tokens: Tokens, reduction: Reduction, reducer: Reducer, *, training: bool = False
) -> Tokens:
    """Apply one stage of a schedule.

    Segments differ in length by at most one, so at most two groups go through the reducer.

    Args:
        tokens: x [B, n, L, D], n sequences per video in the order of time; owners [B, N] or None.
        reduction: its S is at most n.
        reducer: chooses or blends the tokens.
        training: whether a reducer that draws at random may do so.

    Returns:
        x [B, S, L, D] with K patch tokens; owners only if there were some, and the reducer says.
    """
    batch, count = tokens.x.shape[:2]
    device = tokens.x.device
    lengths = segment_sizes(count, reduction.segments)
    starts = [0, *accumulate(lengths)]
    members, sequences, parts = [], [], []
    for length in sorted(set(lengths)):
        own = [segment for segment, frames in enumerate(lengths) if frames == length]  # S_g of them
        members.append(torch.tensor(own, device=device))
        frames_of = [range(starts[segment], starts[segment + 1]) for segment in own]
        sequences.append(torch.tensor([*chain(*frames_of)], device=device))  # [S_g * n_g]

        def gather(values: Tensor, length: int = length, own: list[int] = own) -> Tensor:
            picked = values if len(own) == len(lengths) else values[:, sequences[-1]]
            return picked.reshape(batch * len(own), length, *values.shape[2:])  # [B * S_g, n_g, ...]

        parts.append(reduce(tokens.map(gather), reduction.tokens, reducer, training=training))
    order = torch.cat(members).argsort()

    def in_order(values: Sequence[Tensor]) -> Tensor:
        apart = [part.view(batch, -1, *part.shape[1:]) for part in values]  # [B, S_g, ...]
        return apart[0] if len(apart) == 1 else torch.cat(apart, 1)[:, order]  # [B, S, ...]

    sizes = [part.sizes for part in parts if part.sizes is not None]
    return Tokens(
        in_order([part.x for part in parts]),
        in_order([part.positions for part in parts]),
        in_order(sizes) if sizes else None,
        tokens.has_class_token,
        _follow(tokens, parts, members, sequences, reduction.tokens),
    )


def _follow(
    tokens: Tokens, parts: Sequence[Tokens], members: Sequence[Tensor], sequences: Sequence[Tensor], kept: int
) -> Tensor | None:
    """The new owners [B, N]: through the segments that each group of sequences went into."""
    if tokens.owners is None:
        return None
    batch, count, present, _ = tokens.positions.shape
    passed_to = tokens.owners.new_empty(batch, count, present)
    for part, segments, own in zip(parts, members, sequences, strict=True):
        if part.owners is None:
            return None
        in_video = part.owners.view(batch, len(segments), -1) + segments[:, None] * kept  # [B, S_g, n_g * P]
        passed_to[:, own] = in_video.view(batch, -1, present)  # [B, S_g * n_g, P]
    return passed_to.flatten(1).gather(1, tokens.owners)
