"""Frames of data set items for training: decoded when they are needed, or once into a file on disk.

Training takes a random instant of each of T equal strides, validation the strides' centers. Knows no model
but its preprocessing.
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

__all__ = ["FileFrames", "FrameSource", "decode_from", "open_frames"]


class FrameSource(Protocol):
    """Where an item's frames come from; safe to use from several threads."""

    def read(self, item: Item, frames: int, rng: np.random.Generator | None = None) -> Tensor:
        """Return an item's frames.

        Args:
            frames: T, the most frames.
            rng: draws an instant in each stride; None takes the centers.

        Returns:
            [V, 3, H, W] uint8 with 1 <= V <= T.

        Raises:
            VideoError: the file has no frames that can be decoded.
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
    """Every item decoded once to `kept` frames, in one memory-mapped file that `open_frames` fills."""

    def __init__(self, items: Sequence[Item], pictures: NDArray[np.uint8], counts: NDArray[np.int16]) -> None:
        self._places = {item: place for place, item in enumerate(items)}
        self._pictures = pictures
        self._counts = counts

    def read(self, item: Item, frames: int, rng: np.random.Generator | None = None) -> Tensor:
        """See `FrameSource.read`; chooses from the kept frames."""
        place = self._places[item]
        count = int(self._counts[place])
        strides = np.linspace(0, count, min(frames, count) + 1)
        within = 0.5 if rng is None else rng.random(len(strides) - 1)
        chosen = np.minimum((strides[:-1] + within * np.diff(strides)).astype(int), count - 1)
        return torch.from_numpy(self._pictures[place, chosen])


def decode_from(source: FrameSource, frames: int) -> Decode:
    """Return a decoder that takes each item as one window of `frames` frames from a source; without times."""

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
    """Return a source of the items' frames, with a cache on disk if one is asked for.

    A cache is bound to the list of files, their sizes and the preprocessing. Filling one that was interrupted
    goes on where it stopped.

    Args:
        items: of one split.
        preprocessing: of the model.
        cache: folder of caches, or None to decode at every read.
        kept: frames kept per item; takes `items * kept * 3 * height * width` bytes of disk.
        workers: threads that fill the cache.
        progress: called with (items done, items in all) while the cache is filled.

    Raises:
        VideoError: a file has no frames that can be decoded.
        ConfigError: the cache folder can't be written.
    """
    files = FileFrames(preprocessing)
    if cache is None:
        return files
    folder = cache / f"frames-{_cache_key(items, preprocessing, kept)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = _mapped(
            folder / "pictures.npy", (len(items), kept, 3, *preprocessing.image_size), np.uint8
        )
        counts = _mapped(folder / "counts.npy", (len(items),), np.int16)
    except OSError as error:
        raise ConfigError(f"cache {folder}: {error}; give a folder that can be written") from error

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
    stats = [item.path.stat() for item in items]
    facts = [
        [str(item.path), item.start_seconds, item.end_seconds, stat.st_size, stat.st_mtime_ns]
        for item, stat in zip(items, stats, strict=True)
    ]
    text = json.dumps([facts, asdict(preprocessing), kept])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _mapped(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.memmap:
    mode = "r+" if path.exists() else "w+"
    return np.lib.format.open_memmap(path, mode=mode, dtype=dtype, shape=shape)
