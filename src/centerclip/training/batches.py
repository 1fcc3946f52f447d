"""Which videos and captions make up each step's batch: a pure function of the seed and the step.

Because nothing is remembered between steps, a resumed run sees exactly the batches that an
uninterrupted one sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from centerclip.datasets.dataset import Dataset
from centerclip.datasets.frames import FrameSource
from centerclip.errors import ConfigError

__all__ = ["Batch", "Batches"]


@dataclass(frozen=True)
class Batch:
    """B pairs: frames [B, T, 3, H, W] uint8, mask [B, T] bool, and a caption for each."""

    frames: Tensor
    mask: Tensor
    captions: list[str]


class Batches:
    """Every pass shows each video once, in a new order, with one of its captions and new instants.

    Args:
        dataset: the training split; every video has a caption.
        source: of its frames, in the same order.
        batch_size: pairs a batch.
        frames: T frames a video.
        seed: of order, captions and instants.
        share: the part of each batch that is wanted; parts make up the same batches as the whole.

    Raises:
        ConfigError: a batch needs more videos than there are.
    """

    def __init__(
        self,
        dataset: Dataset,
        source: FrameSource,
        *,
        batch_size: int,
        frames: int,
        seed: int,
        share: slice = slice(None),
    ) -> None:
        if batch_size > len(dataset.videos):
            raise ConfigError(
                f"batch_size {batch_size} is more than the {len(dataset.videos)} videos of {dataset.name} "
                f"{dataset.split}: make it at most that"
            )
        self._source = source
        self._batch_size = batch_size
        self._frames = frames
        self._seed = seed
        self._share = share
        self._captions: list[list[str]] = [[] for _ in dataset.videos]
        for caption in dataset.captions:
            self._captions[caption.video].append(caption.text)
        self._steps_per_pass = len(dataset.videos) // batch_size

    def at(self, step: int) -> Batch:
        """The batch of 0-based `step`."""
        passes, position = divmod(step, self._steps_per_pass)
        order = np.random.default_rng([self._seed, 0, passes]).permutation(len(self._captions))
        items = order[position * self._batch_size : (position + 1) * self._batch_size].tolist()
        rng = np.random.default_rng([self._seed, 1, step])
        captions = [self._captions[item][rng.integers(len(self._captions[item]))] for item in items]
        frames, mask = self._source.batch(items, self._frames, rng, share=self._share)
        return Batch(frames, mask, captions[self._share])

    def run(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of steps `start` to `stop`, the next one made while the last one is used."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
            coming = pool.submit(self.at, start) if start < stop else None
            for step in range(start, stop):
                assert coming is not None
                batch = coming.result()
                coming = pool.submit(self.at, step + 1) if step + 1 < stop else None
                yield batch
