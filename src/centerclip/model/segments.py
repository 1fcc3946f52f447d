"""Puts a reduction into the residual stream: frames into segments, segments through the reducer, and back.

Owns the grouping of segments of unequal length. It knows neither how tokens are chosen nor what
encodes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from centerclip.clustering.reducers import Reduced, Reducer
from centerclip.schedule import Reduction, segment_sizes

__all__ = ["SegmentGroup", "in_order", "reduce_segments", "size_bias"]


@dataclass(frozen=True, slots=True)
class SegmentGroup:
    """Segments of equal length that went through the reducer together.

    Attributes:
        segments: [S_g] which of the S segments these are.
        sequences: [S_g, n] the incoming sequences (frames, at the first stage) of each.
        reduced: what came out, its first dimension B * S_g.
    """

    segments: Tensor
    sequences: Tensor
    reduced: Reduced


def reduce_segments(
    x: Tensor,
    reduction: Reduction,
    reducer: Reducer,
    *,
    has_class_token: bool,
    sizes: Tensor | None = None,
    training: bool = False,
) -> tuple[Tensor, Tensor | None, list[SegmentGroup]]:
    """Apply one stage of a schedule.

    Segments differ in length by at most one, so at most two groups go through the reducer.

    Args:
        x: [B, n, L, D], n sequences a video in the order of time, class token first where there is one.
        reduction: its S is at most n.
        reducer: chooses and keeps the tokens.
        has_class_token: whether L counts a class token beside the patches.
        sizes: [B, n, P] how many patches each token stands for, or None for one each.
        training: whether a random reducer may draw.

    Returns:
        [B, S, 1 + K, D] (or K, without class tokens); the new sizes [B, S, K] or None; the groups.
    """
    batch, device = x.shape[0], x.device
    lengths = segment_sizes(x.shape[1], reduction.segments)
    starts = [0, *accumulate(lengths)]
    groups: list[SegmentGroup] = []
    outputs: list[Tensor] = []
    for length in sorted(set(lengths)):
        members = [segment for segment, own in enumerate(lengths) if own == length]
        sequences = torch.tensor(
            [list(range(starts[s], starts[s] + length)) for s in members], device=device
        )  # [S_g, n]
        together = _gather(x, sequences, even=len(members) == len(lengths))  # [B, S_g, n, L, D]
        tokens = together.flatten(0, 1)  # [G, n, L, D]
        reduced = reducer(
            tokens[:, :, 1:] if has_class_token else tokens,
            tokens[:, :, 0] if has_class_token else None,
            reduction.tokens,
            sizes=None if sizes is None else _gather(sizes, sequences, even=False).flatten(0, 1),
            training=training,
        )
        output = reduced.patches  # [G, K, D]
        if reduced.class_tokens is not None:
            output = torch.cat((reduced.class_tokens.unsqueeze(1), output), dim=1)  # [G, 1+K, D]
        outputs.append(output.view(batch, len(members), *output.shape[1:]))  # [B, S_g, 1+K, D]
        groups.append(SegmentGroup(torch.tensor(members, device=device), sequences, reduced))
    new_sizes = [group.reduced.sizes for group in groups]
    known = [s.view(batch, -1, s.shape[1]) for s in new_sizes if s is not None]
    return in_order(outputs, groups), (in_order(known, groups) if known else None), groups


def size_bias(sizes: Tensor | None, *, has_class_token: bool) -> Tensor | None:
    """Let a blended token draw as much attention as all the tokens it stands for: log of its size.

    Args:
        sizes: [B, S, K], or None where each token stands for itself.
        has_class_token: whether a sequence begins with a class token, whose size is one.

    Returns:
        [B * S, 1, 1, L] float32 to be added to the attention scores, or None.

    Source: ToMe (arXiv 2210.09461) section 3, proportional attention.
    """
    if sizes is None:
        return None
    bias = sizes.flatten(0, 1).to(torch.float32).log()  # [B*S, K]
    if has_class_token:
        bias = functional.pad(bias, (1, 0))  # [B*S, 1+K]
    return bias[:, None, None]  # [B*S, 1, 1, L]


def _gather(x: Tensor, sequences: Tensor, *, even: bool) -> Tensor:
    """[B, n, ...] to [B, S_g, n_g, ...]: a view where all segments are of one length."""
    return x.view(x.shape[0], *sequences.shape, *x.shape[2:]) if even else x[:, sequences]


def in_order(parts: Sequence[Tensor], groups: Sequence[SegmentGroup]) -> Tensor:
    """Join the groups' [B, S_g, ...] to [B, S, ...] in the order of time."""
    if len(parts) == 1:
        return parts[0]
    order = torch.cat([group.segments for group in groups]).argsort()
    return torch.cat(tuple(parts), dim=1)[:, order]
