"""The reducer that merges similar tokens, by bipartite soft matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from centerclip.clustering.distance import pairwise_distances
from centerclip.clustering.reducers.reducer import Reduced, flatten, keep, mean_class_token

__all__ = ["Merge"]


@dataclass(frozen=True)
class Merge:
    """Merges the most similar pairs of tokens until K are left, each the mean of what it stands for.

    A round splits the tokens alternately in two parts, draws an edge from each token of the first to the
    most similar one of the second (cosine of the tokens), and merges along the most similar edges. As it
    can take away no more than half of the tokens, rounds are repeated. Alternation runs through the
    frames first and the positions next, so that a position's tokens in two successive frames can merge.

    Source: Token Merging (arXiv 2210.09461) section 3; it compares attention keys, which a reducer
    between two blocks doesn't see.
    """

    name: ClassVar[str] = "merge"

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        sequence = flatten(patches, tokens)
        segments, frames, positions, _ = patches.shape
        order = torch.arange(frames * positions, device=patches.device).view(frames, positions).T.flatten()
        merged = sequence[:, order].float()  # [G, L, D]
        if sizes is None:
            sizes = merged.new_ones(segments, frames, positions)
        sizes = sizes.flatten(1)[:, order].float()  # [G, L]
        at = order.expand(segments, -1)  # [G, L], where in the segment each remaining token stands
        owners = torch.arange(len(order), device=patches.device).expand(segments, -1)  # [G, n * P]
        while merged.shape[1] > tokens:
            removed = min(merged.shape[1] - tokens, merged.shape[1] // 2)
            into = _match(merged, removed)  # [G, L]
            stays = into == torch.arange(into.shape[1], device=into.device)
            rank = (stays.cumsum(1) - 1).gather(1, into)  # [G, L], 0..L - removed - 1
            merged, sizes = _average(merged, sizes, rank, into.shape[1] - removed)
            at = at[stays].view(segments, -1)
            owners = rank.gather(1, owners)
        by_place = at.argsort(1)  # [G, K]
        labels = torch.empty_like(owners)
        labels[:, order] = by_place.argsort(1).gather(1, owners)
        return Reduced(
            keep(merged, by_place).to(patches.dtype),
            mean_class_token(class_tokens),
            labels=labels,
            sizes=sizes.gather(1, by_place),
        )


@torch.no_grad()
def _match(tokens: Tensor, removed: int) -> Tensor:
    """Which token each one of [G, L, D] becomes part of, [G, L]; all but `removed` stay what they are."""
    distances = pairwise_distances(tokens, "cosine")[:, ::2, 1::2]  # from even tokens to odd ones
    nearest, partners = distances.min(2)  # [G, ceil(L / 2)]
    moving = nearest.argsort(dim=1, stable=True)[:, :removed]
    into = torch.arange(tokens.shape[1], device=tokens.device).repeat(len(tokens), 1)
    return into.scatter_(1, 2 * moving, 2 * partners.gather(1, moving) + 1)


def _average(tokens: Tensor, sizes: Tensor, rank: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Means of the tokens [G, L, D] of equal rank [G, L], weighted by size, and their summed sizes."""
    segments, _, width = tokens.shape
    summed = sizes.new_zeros(segments, count).scatter_add(1, rank, sizes)  # [G, count]
    weighted = tokens * (sizes / summed.gather(1, rank))[..., None]
    total = tokens.new_zeros(segments, count, width)
    return total.scatter_add(1, rank[..., None].expand_as(tokens), weighted), summed
