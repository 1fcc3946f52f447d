"""Puts a reduction between two blocks: frames into segments, segments through the reducer, and back.

Owns the grouping of segments of unequal length. It knows neither how tokens are chosen nor what
encodes them.
"""

from __future__ import annotations

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
    lengths = segment_sizes(count, reduction.segments)
    starts = [0, *accumulate(lengths)]
    groups: list[tuple[Tensor, Tensor, Tokens]] = []
    for length in sorted(set(lengths)):
        own = [segment for segment, frames in enumerate(lengths) if frames == length]
        segments = torch.tensor(own, device=tokens.x.device)  # [S_g]
        sequences = (torch.tensor(starts)[own, None] + torch.arange(length)).flatten().to(segments.device)
        chosen = tokens if len(own) == len(lengths) else tokens.map(partial(_take, places=sequences))
        reduced = reduce(chosen.reshape(-1, length), reduction.tokens, reducer, training=training)
        groups.append((segments, sequences, reduced))
    joined = _join([reduced.reshape(batch, -1) for _, _, reduced in groups])  # x [B, S, L, D]
    if len(groups) > 1:
        order = torch.cat([segments for segments, _, _ in groups]).argsort()
        joined = joined.map(partial(_take, places=order))
    return replace(joined, owners=_follow(tokens, groups, reduction.tokens))


def _take(values: Tensor, places: Tensor) -> Tensor:
    return values.index_select(1, places)


def _join(parts: Sequence[Tokens]) -> Tokens:
    sizes = [part.sizes for part in parts if part.sizes is not None]
    return Tokens(
        torch.cat([part.x for part in parts], 1),
        torch.cat([part.positions for part in parts], 1),
        torch.cat(sizes, 1) if sizes else None,
        parts[0].has_class_token,
    )


def _follow(tokens: Tokens, groups: Sequence[tuple[Tensor, Tensor, Tokens]], kept: int) -> Tensor | None:
    """The new owners [B, N]: by way of the segments that each group's sequences went into."""
    if tokens.owners is None:
        return None
    batch, count, present, _ = tokens.positions.shape
    went_to = tokens.owners.new_empty(batch, count, present)
    for segments, sequences, reduced in groups:
        if reduced.owners is None:
            return None
        of_video = (
            reduced.owners.view(batch, len(segments), -1) + segments[:, None] * kept
        )  # [B, S_g, n_g * P]
        went_to[:, sequences] = of_video.view(batch, -1, present)  # [B, S_g * n_g, P]
    return went_to.flatten(1).gather(1, tokens.owners)
