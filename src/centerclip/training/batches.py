"""Reads the batch of each step. Its videos, captions and instants depend only on the seed and the step.

So a resumed run sees the same batches as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from centerclip.datasets.dataset import Dataset
from centerclip.embedding.frames import FrameSource
from centerclip.errors import ConfigError

__all__ = ["Batch", "Batches"]


@dataclass(frozen=True)
class Batch:
    """B pairs: frames [B, T, 3, H, W] uint8, mask [B, T] bool, and one caption per video."""

    frames: Tensor
    mask: Tensor
    captions: list[str]


class Batches:
    """Every epoch contains each video once, in a new order, with one of its captions and new instants.

    Args:
        dataset: the training split; every video has a caption.
        source: reads the videos' frames.
        batch_size: pairs per batch.
        frames: T, frames per video.
        seed: of order, captions and instants.
        shard: the rows of each batch to return. Shards of the same seed add up to the same batch.
        workers: threads that read frames.

    Raises:
        ConfigError: the batch is larger than the data set.
    """

    def __init__(
        self,
        dataset: Dataset,
        source: FrameSource,
        *,
        batch_size: int,
        frames: int,
        seed: int,
        shard: slice = slice(None),
        workers: int = 2,
    ) -> None:
        if batch_size > len(dataset.videos):
            raise ConfigError(
                f"batch_size {batch_size} is more than the {len(dataset.videos)} videos of {dataset.name} "
                f"{dataset.split}: make it smaller"
            )
        self._videos = dataset.videos
        self._source = source
        self._batch_size = batch_size
        self._frames = frames
        self._seed = seed
        self._shard = shard
        self._readers = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._captions: list[list[str]] = [[] for _ in dataset.videos]
        for caption in dataset.captions:
            self._captions[caption.video].append(caption.text)
        self._steps_per_epoch = len(dataset.videos) // batch_size

    def at(self, step: int) -> Batch:
        """Return the batch of 0-based `step`."""
        epoch, position = divmod(step, self._steps_per_epoch)
        order = np.random.default_rng([self._seed, 0, epoch]).permutation(len(self._captions))
        items = order[position * self._batch_size : (position + 1) * self._batch_size].tolist()
        rng = np.random.default_rng([self._seed, 1, step])
        captions = [self._captions[item][rng.integers(len(self._captions[item]))] for item in items]
        own, rngs = items[self._shard], rng.spawn(len(items))[self._shard]
        read = self._readers.map(
            lambda item, rng: self._source.read(self._videos[item], self._frames, rng), own, rngs
        )
        frames, mask = _stack(list(read), self._frames)
        return Batch(frames, mask, captions[self._shard])

    def run(self, start: int, stop: int) -> Iterator[Batch]:
        """Yield the batches of steps `start` to `stop` - 1, each read while the previous one is used."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
            upcoming = pool.submit(self.at, start) if start < stop else None
            for step in range(start, stop):
                assert upcoming is not None
                batch = upcoming.result()
                upcoming = pool.submit(self.at, step + 1) if step + 1 < stop else None
                yield batch


def _stack(videos: Sequence[Tensor], frames: int) -> tuple[Tensor, Tensor]:
    """Pad videos [V, 3, H, W], V <= T, to frames [B, T, 3, H, W]; the mask [B, T] is False for padding."""
    batch = torch.zeros(len(videos), frames, *videos[0].shape[1:], dtype=torch.uint8)
    mask = torch.zeros(len(videos), frames, dtype=torch.bool)
    for row, video in enumerate(videos):
        batch[row, : len(video)] = video
        mask[row, : len(video)] = True
    return batch, mask
