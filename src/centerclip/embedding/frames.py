"""Frames of data set items for training, decoded on demand or once into a file on disk.

Training draws a random instant from each of T equal strides, validation takes their centers. Of a model it
knows only the preprocessing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centerclip.embedding.decode import Decode, DecodedWindow, Windows, window_of
from centerclip.errors import ConfigError
from centerclip.preprocessing import Preprocessing
from centerclip.records import Item, VideoInfo, Window
from centerclip.video import VideoReader, read_window

__all__ = ["FileFrames", "FrameSource", "decode_from", "open_frames", "spread"]


class FrameSource(Protocol):
    """A source of items' frames; safe to use from several threads."""

    def read(self, item: Item, frames: int, rng: np.random.Generator | None = None) -> Tensor:
        """Return an item's frames.

        Args:
            frames: T, the maximum number of frames.
            rng: draws an instant from each stride; None takes the centers.

        Returns:
            [V, 3, H, W] uint8 with 1 <= V <= T.

        Raises:
            VideoError: no frame can be decoded.
        """
        ...


@dataclass(frozen=True)
class FileFrames:
    """Opens the file for every read."""

    preprocessing: Preprocessing

    def read(self, item: Item, frames: int, rng: np.random.Generator | None = None) -> Tensor:
        """See `FrameSource.read`."""
        with VideoReader(item.path) as reader:
            window = window_of(item, reader.duration_seconds)
            return read_window(reader, window, frames, self.preprocessing, rng=rng, pictures=0).frames


class _CachedFrames:
    """Items decoded once to `kept` frames each, in a memory-mapped file that `open_frames` fills."""

    def __init__(self, items: Sequence[Item], pictures: NDArray[np.uint8], counts: NDArray[np.int16]) -> None:
        self._places = {item: place for place, item in enumerate(items)}
        self._pictures = pictures
        self._counts = counts

    def read(self, item: Item, frames: int, rng: np.random.Generator | None = None) -> Tensor:
        """See `FrameSource.read`; chooses from the kept frames."""
        place = self._places[item]
        return torch.from_numpy(self._pictures[place, spread(int(self._counts[place]), frames, rng)])


def spread(count: int, frames: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
    """Choose one of `count` kept frames from each of up to `frames` equal strides.

    Args:
        count: number of kept frames.
        frames: maximum number to choose.
        rng: draws one from each stride; None takes the middle one.

    Returns:
        [min(frames, count)] int64, ascending.
    """
    strides = np.linspace(0, count, min(frames, count) + 1)
    within = 0.5 if rng is None else rng.random(len(strides) - 1)
    chosen: NDArray[np.int64] = (strides[:-1] + within * np.diff(strides)).astype(np.int64)
    return np.minimum(chosen, count - 1)


def decode_from(source: FrameSource, frames: int) -> Decode:
    """Return a decoder that reads each item from a source, as one window of `frames` frames without times."""

    def decode(item: Item) -> Windows:
        pictures = source.read(item, frames)
        info = VideoInfo(item.path, "", 1.0, 0, 0, 0.0, "", 0, 0.0)
        yield DecodedWindow(info, Window(0.0, 1.0), pictures, np.linspace(0.0, 1.0, len(pictures) + 1))

    return decode


def open_frames(
    items: Sequence[Item],
    preprocessing: Preprocessing,
    *,
    cache: Path | None = None,
    kept: int = 12,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> FrameSource:
    """Return a source of the items' frames, with an optional cache on disk.

    A cache belongs to a list of files with their sizes and times, and to the preprocessing. If filling it was
    interrupted, the next call continues.

    Args:
        items: of one split.
        preprocessing: of the model.
        cache: folder of caches, or None to decode at every read.
        kept: frames kept per item; needs `items * kept * 3 * height * width` bytes on disk.
        workers: threads that fill the cache.
        progress: called with the numbers of finished items and of all items while the cache is being filled.

    Raises:
        VideoError: no frame of a file can be decoded.
        ConfigError: the cache folder isn't writable.
    """
    files = FileFrames(preprocessing)
    if cache is None:
        return files
    folder = cache / f"frames-{_cache_key(items, preprocessing, kept)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shape = (len(items), kept, 3, *preprocessing.image_size)
        pictures = _mapped(folder / "pictures.npy", shape, np.uint8)
        counts = _mapped(folder / "counts.npy", (len(items),), np.int16)
    except OSError as error:
        raise ConfigError(f"cache {folder}: {error}; choose a writable folder") from error

    def fill(place: int) -> None:
        frames = files.read(items[place], kept).numpy()
        pictures[place, : len(frames)] = frames
        counts[place] = len(frames)

    waiting = np.flatnonzero(counts == 0).tolist()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        for done, _ in enumerate(pool.map(fill, waiting), start=len(items) - len(waiting) + 1):
            if progress is not None:
                progress(done, len(items))
    pictures.flush()
    counts.flush()
    return _CachedFrames(items, pictures, counts)


def _cache_key(items: Sequence[Item], preprocessing: Preprocessing, kept: int) -> str:
    facts = [
        [str(item.path), item.start_seconds, item.end_seconds, stat.st_size, stat.st_mtime_ns]
        for item, stat in ((item, item.path.stat()) for item in items)
    ]
    text = json.dumps([facts, asdict(preprocessing), kept])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _mapped(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.memmap:
    mode = "r+" if path.exists() else "w+"
    return np.lib.format.open_memmap(path, mode=mode, dtype=dtype, shape=shape)
