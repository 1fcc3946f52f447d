"""Applies a reduction between two blocks: groups sequences into segments and reduces each segment."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor

from centerclip.clustering import Reducer, Tokens, reduce
from centerclip.schedule import Reduction, segment_sizes

__all__ = ["reduce_segments"]


def reduce_segments(
    tokens: Tokens, reduction: Reduction, reducer: Reducer, *, training: bool = False
) -> Tokens:
    """Apply one stage of a schedule.

    Segments differ in length by at most one, so the reducer runs at most twice, once per length.

    Args:
        tokens: x [B, n, L, D], n sequences per video in temporal order; owners [B, N] or None.
        reduction: with S <= n.
        reducer: chooses or blends the tokens.
        training: whether the reducer may draw random tokens.

    Returns:
        x [B, S, L, D] with K patch tokens; owners if there were any and the reducer assigns every token.
    """
    batch, count = tokens.x.shape[:2]
    lengths = segment_sizes(count, reduction.segments)
    starts = [0, *accumulate(lengths)]
    groups: list[tuple[Tensor, Tensor, Tokens]] = []  # per length: segments, their sequences, reduced tokens
    for length in sorted(set(lengths)):
        own = [segment for segment, frames in enumerate(lengths) if frames == length]
        segments = torch.tensor(own, device=tokens.x.device)  # [S_g]
        sequences = (torch.tensor(starts)[own, None] + torch.arange(length)).flatten().to(segments.device)
        chosen = tokens if len(own) == len(lengths) else tokens.map(partial(_take, places=sequences))
        reduced = reduce(chosen.reshape(-1, length), reduction.tokens, reducer, training=training)
        groups.append((segments, sequences, reduced))
    parts = [reduced.reshape(batch, -1) for _, _, reduced in groups]  # x [B, S_g, L, D]
    joined = parts[0]
    if len(parts) > 1:
        joined = Tokens(
            torch.cat([part.x for part in parts], 1),
            torch.cat([part.positions for part in parts], 1),
            torch.cat(sizes, 1) if (sizes := [p.sizes for p in parts if p.sizes is not None]) else None,
            joined.has_class_token,
        )
        order = torch.cat([segments for segments, _, _ in groups]).argsort()
        joined = joined.map(partial(_take, places=order))  # x [B, S, L, D]
    return replace(joined, owners=_follow(tokens, groups, reduction.tokens))


def _take(values: Tensor, places: Tensor) -> Tensor:
    return values.index_select(1, places)


def _follow(tokens: Tokens, groups: Sequence[tuple[Tensor, Tensor, Tokens]], kept: int) -> Tensor | None:
    """Compute the new owners [B, N] from the old ones and those within each segment."""
    if tokens.owners is None:
        return None
    batch, count, present, _ = tokens.positions.shape
    new = tokens.owners.new_empty(batch, count, present)
    for segments, sequences, reduced in groups:
        if reduced.owners is None:
            return None
        in_segments = reduced.owners.view(batch, len(segments), -1)  # [B, S_g, n_g * P]
        new[:, sequences] = (in_segments + segments[:, None] * kept).view(batch, -1, present)
    return new.flatten(1).gather(1, tokens.owners)
