"""The reducer that merges similar tokens, by bipartite soft matching."""

from dataclasses import dataclass

import torch
from torch import Tensor

from centerclip.clustering.distance import pairwise_distances
from centerclip.clustering.reducers.reducer import Reducer
from centerclip.clustering.tokens import Tokens

__all__ = ["Merge"]


@dataclass(frozen=True)
class Merge(Reducer):
    """Merges the most similar tokens until K are left, each the mean of its patches.

    Each round splits the tokens alternately into two halves, finds for each token of the first half the most
    similar one in the second (by cosine), and merges the most similar pairs. A round removes at most half of
    the tokens, so rounds repeat. Alternation runs over frames before positions, so that the same position in
    successive frames can merge.

    Source: Token Merging (arXiv 2210.09461) section 3, which compares attention keys; a reducer between
    blocks has no access to them.
    """

    @property
    def weighted(self) -> bool:
        return True

    def blend(self, tokens: Tokens, k: int) -> Tensor:
        segments, frames, patches, _ = tokens.patches.shape
        device = tokens.x.device
        order = torch.arange(frames * patches, device=device).view(frames, patches).T.flatten()  # [N]
        sequence = tokens.sequence[:, order].float()  # [G, N, D]
        every = sequence.new_ones(segments, len(order)) if tokens.sizes is None else tokens.sizes.flatten(1)
        merged, sizes = sequence, every[:, order]  # [G, L, D] and [G, L], the L tokens left
        at = order.expand(segments, -1)  # [G, L], their places in the segment
        owners = torch.arange(len(order), device=device).expand(segments, -1)  # [G, N] in 0..L - 1
        while merged.shape[1] > k:
            removed = min(merged.shape[1] - k, merged.shape[1] // 2)
            into = _match(merged, removed)  # [G, L]
            stays = into == torch.arange(into.shape[1], device=device)
            rank = (stays.cumsum(1) - 1).gather(1, into)  # [G, L], 0..L - removed - 1
            merged, sizes = _average(merged, sizes, rank, into.shape[1] - removed)
            at = at.gather(1, _first(stays, at.shape[1] - removed))
            owners = rank.gather(1, owners)
        places = at.argsort(1).argsort(1)  # [G, K], ranks by place
        labels = torch.empty_like(owners)
        labels[:, order] = places.gather(1, owners)
        weights = every.new_zeros(segments, k, len(order)).scatter_(1, labels[:, None], every[:, None])
        return weights / weights.sum(2, keepdim=True)  # [G, K, N]


def _match(tokens: Tensor, removed: int) -> Tensor:
    """Find the token that each of [G, L, D] merges into, [G, L]; all but `removed` stay themselves."""
    distances = pairwise_distances(tokens, "cosine")[:, ::2, 1::2]  # from even tokens to odd ones
    nearest, partners = distances.min(2)  # [G, ceil(L / 2)]
    moving = nearest.argsort(dim=1, stable=True)[:, :removed]
    into = torch.arange(tokens.shape[1], device=tokens.device).repeat(tokens.shape[0], 1)
    return into.scatter_(1, 2 * moving, 2 * partners.gather(1, moving) + 1)


def _first(marked: Tensor, count: int) -> Tensor:
    """Return the places [G, count] of the marked ones of [G, L], in order; each row has `count`."""
    return marked.int().argsort(dim=1, descending=True, stable=True)[:, :count]


def _average(tokens: Tensor, sizes: Tensor, rank: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Average tokens [G, L, D] of equal rank [G, L], weighted by size, and sum their sizes."""
    segments, _, width = tokens.shape
    summed = sizes.new_zeros(segments, count).scatter_add(1, rank, sizes)  # [G, count]
    weighted = tokens * (sizes / summed.gather(1, rank))[..., None]
    total = tokens.new_zeros(segments, count, width)
    return total.scatter_add(1, rank[..., None].expand_as(tokens), weighted), summed
