"""Frames of a data set: decoded as they are needed, or decoded once into a file on disk.

Owns the order of nothing and the choice of frames: random within equal strides for training, the
stride centers for evaluation. Knows no model but its picture size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centerclip.errors import ConfigError
from centerclip.records import Item, Window
from centerclip.video import VideoReader, read_window

__all__ = ["CachedFrames", "DecodedFrames", "FrameSource", "open_frames"]


_ALL = slice(None)


class FrameSource(Protocol):
    """Where a batch's frames come from."""

    def batch(
        self,
        items: Sequence[int],
        frames: int,
        rng: np.random.Generator | None = None,
        *,
        share: slice = _ALL,
    ) -> tuple[Tensor, Tensor]:
        """Frames of the videos at `items`.

        Args:
            items: B positions in the data set's videos.
            frames: T frames a video.
            rng: draws instants at random within equal strides; None takes the stride centers.
            share: the part of `items` that is wanted; its instants are those that it has in the whole.

        Returns:
            frames [b, T, 3, H, W] uint8; mask [b, T] bool, False where a short video has no frame.
        """
        ...


def read_item(
    item: Item, frames: int, size: tuple[int, int], rng: np.random.Generator | None = None
) -> Tensor:
    """Decode one item: [t, 3, H, W] uint8 with 1 <= t <= frames.

    Raises:
        VideoError: the file gives no frame.
    """
    with VideoReader(item.path) as reader:
        end = reader.info.duration_seconds
        stop = end if item.end_seconds is None else min(item.end_seconds, end)
        window = Window(item.start_seconds or 0.0, stop)
        pictures, _ = read_window(reader, window, frames, size, rng=rng)
    return pictures


def _stack(clips: Sequence[Tensor], frames: int) -> tuple[Tensor, Tensor]:
    batch = torch.zeros(len(clips), frames, *clips[0].shape[1:], dtype=torch.uint8)
    mask = torch.zeros(len(clips), frames, dtype=torch.bool)
    for row, clip in enumerate(clips):
        batch[row, : len(clip)] = clip
        mask[row, : len(clip)] = True
    return batch, mask


class DecodedFrames:
    """Opens the files anew for every batch, on a few threads."""

    def __init__(self, items: Sequence[Item], size: tuple[int, int], *, workers: int = 2) -> None:
        self._items = items
        self._size = size
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")

    def batch(
        self,
        items: Sequence[int],
        frames: int,
        rng: np.random.Generator | None = None,
        *,
        share: slice = _ALL,
    ) -> tuple[Tensor, Tensor]:
        """See `FrameSource.batch`."""
        rngs = rng.spawn(len(items)) if rng is not None else [None] * len(items)
        clips = self._pool.map(
            lambda item, own: read_item(self._items[item], frames, self._size, own),
            items[share],
            rngs[share],
        )
        return _stack(list(clips), frames)


class CachedFrames:
    """Every video decoded once to `kept` frames, held in one memory-mapped file.

    The folder is bound to the list of files, their sizes and the picture size; it is filled by
    `open_frames` and can be filled in several goes.
    """

    def __init__(self, pictures: NDArray[np.uint8], counts: NDArray[np.int16]) -> None:
        self._pictures = pictures
        self._counts = counts

    def batch(
        self,
        items: Sequence[int],
        frames: int,
        rng: np.random.Generator | None = None,
        *,
        share: slice = _ALL,
    ) -> tuple[Tensor, Tensor]:
        """See `FrameSource.batch`; draws from the kept frames of each video."""
        choices = []
        for item in items:
            count = int(self._counts[item])
            strides = np.linspace(0, count, min(frames, count) + 1)
            within = rng.random(len(strides) - 1) if rng is not None else 0.5
            chosen = np.minimum((strides[:-1] + within * np.diff(strides)).astype(int), count - 1)
            choices.append((item, chosen))
        return _stack([torch.from_numpy(self._pictures[choice]) for choice in choices[share]], frames)


def _cache_key(items: Sequence[Item], size: tuple[int, int], kept: int) -> str:
    stats = [item.path.stat() for item in items]
    facts = [
        [str(item.path), item.start_seconds, item.end_seconds, stat.st_size, stat.st_mtime_ns]
        for item, stat in zip(items, stats, strict=True)
    ]
    text = json.dumps([facts, size, kept])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def open_frames(
    items: Sequence[Item],
    size: tuple[int, int],
    *,
    cache: Path | None = None,
    kept: int = 12,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> FrameSource:
    """Frames of `items` at `size`, through a cache on disk where one is asked for.

    Args:
        items: videos of one split.
        size: (height, width) in pixels.
        cache: folder of caches, or None to decode at every use.
        kept: frames kept of each video; takes `items * kept * 3 * height * width` bytes of disk.
        progress: called with (videos done, videos in all) while the cache is filled.

    Raises:
        VideoError: a file gives no frame.
        ConfigError: the cache folder can't be written.
    """
    if cache is None:
        return DecodedFrames(items, size, workers=workers)
    folder = cache / f"frames-{_cache_key(items, size, kept)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = _mapped(folder / "pictures.npy", (len(items), kept, 3, *size), np.uint8)
        counts = _mapped(folder / "counts.npy", (len(items),), np.int16)
    except OSError as error:
        raise ConfigError(f"cache {folder}: {error}; give a folder that can be written") from error

    def fill(item: int) -> None:
        clip = read_item(items[item], kept, size).numpy()
        pictures[item, : len(clip)] = clip
        counts[item] = len(clip)

    waiting = np.flatnonzero(counts == 0).tolist()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        for done, _ in enumerate(pool.map(fill, waiting), start=len(items) - len(waiting) + 1):
            if progress is not None:
                progress(done, len(items))
    pictures.flush()
    counts.flush()
    return CachedFrames(pictures, counts)


def _mapped(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.memmap:
    mode = "r+" if path.exists() else "w+"
    return np.lib.format.open_memmap(path, mode=mode, dtype=dtype, shape=shape)
