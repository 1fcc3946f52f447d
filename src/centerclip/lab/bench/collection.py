"""Made-up windows for very large indexes, and which of them are nearest to made-up queries.

They are clustered like those of a real library: they share a direction, as the embeddings of all pictures do,
belong to topics of very different sizes, and resemble the other windows of their video most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from centerclip.lab.bench.subjects import SEED

__all__ = ["TOP", "WINDOWS_PER_VIDEO", "Collection"]

TOP = 10
WINDOWS_PER_VIDEO = 100
"""Twenty minutes."""
_BLOCK = 20_000
"""Windows made at once."""
_SHARED, _TOPIC, _VIDEO, _OWN = 0.5, 0.2, 0.15, 0.15
"""Shares of a window's embedding, so that unrelated windows have a cosine of 0.5, as with CLIP."""
_COSINE = 0.3
"""Of a query with a window: that of a sentence."""


@dataclass
class Collection:
    """Made-up windows, the same for the same arguments; only a block of them is in memory.

    Args:
        windows: how many.
        embed_size: E.
        queries: [Q, E] are made, and their nearest windows found while `blocks` is read.
    """

    windows: int
    embed_size: int
    queries: int
    nearest: NDArray[np.int64] = field(init=False)
    """[Q, 10], once all blocks were read: the nearest windows by number, nearest first."""

    def __post_init__(self) -> None:
        rng = np.random.default_rng(SEED)
        # Variance is uneven over the directions.
        self._scales = (1 + np.arange(self.embed_size, dtype=np.float32)) ** -0.5
        self._scales /= np.linalg.norm(self._scales)
        self._center = self._draw(rng, 1)[0]
        topics = max(16, self.windows // 5000)
        self._topics = self._draw(rng, topics)
        shares = 1 / (10 + np.arange(topics))  # the largest is a few per cent
        self._chances = np.cumsum(shares / shares.sum())
        self.asked = self._ask(rng)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the windows [N, E] of whole videos, of unit length."""
        best = np.full((self.queries, TOP), -np.inf, np.float32)
        self.nearest = np.zeros((self.queries, TOP), np.int64)
        for start in range(0, self.windows, _BLOCK):
            block = self._block(start)
            yield block
            scores = np.concatenate([best, self.asked @ block.T], axis=1)  # [Q, 10 + N]
            numbers = np.concatenate([np.arange(start, start + len(block))])
            order = np.argpartition(-scores, TOP - 1, axis=1)[:, :TOP]
            order = np.take_along_axis(order, np.argsort(-np.take_along_axis(scores, order, 1), 1), 1)
            known = np.concatenate([self.nearest, np.broadcast_to(numbers, (self.queries, len(block)))], 1)
            best, self.nearest = np.take_along_axis(scores, order, 1), np.take_along_axis(known, order, 1)

    def _block(self, start: int) -> NDArray[np.float32]:
        rng = np.random.default_rng([SEED, start])
        count = min(_BLOCK, self.windows - start)
        videos = -(-count // WINDOWS_PER_VIDEO)
        topics = self._topics[
            np.searchsorted(self._chances, rng.random(videos)).clip(max=len(self._topics) - 1)
        ]
        about = _SHARED**0.5 * self._center + _TOPIC**0.5 * topics + _VIDEO**0.5 * self._draw(rng, videos)
        own = self._draw(rng, count)
        return _unit(np.repeat(about, WINDOWS_PER_VIDEO, 0)[:count] + np.float32(_OWN**0.5) * own)

    def _draw(self, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
        drawn: NDArray[np.float32] = rng.standard_normal((count, self.embed_size), np.float32)
        drawn *= self._scales
        return drawn

    def _ask(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return [Q, E], unit length: each has the cosine `_COSINE` with a window."""
        starts = rng.choice(-(-self.windows // _BLOCK), self.queries) * _BLOCK
        blocks = {start: self._block(start) for start in np.unique(starts)[:8].tolist()}
        pool = np.concatenate(list(blocks.values()))
        about = pool[rng.choice(len(pool), self.queries)]
        away = self._draw(rng, self.queries)
        away = _unit(away - (away * about).sum(1, keepdims=True) * about)
        return np.float32(_COSINE) * about + np.float32((1 - _COSINE**2) ** 0.5) * away


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled
