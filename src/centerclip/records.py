"""The values that cross module boundaries: what is known of a video, its windows and its failure.

Plain frozen dataclasses over numpy; they know neither torch, nor av, nor the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line's help imports this module, and numpy takes a tenth of a second
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["EncodedVideo", "EncodedWindow", "Failed", "Item", "VideoInfo", "Window"]


@dataclass(frozen=True, slots=True)
class Item:
    """A video to embed: a file, or the part of it from `start_seconds` to `end_seconds`.

    None means the file's own start or end. `id` is its name in a data set.
    """

    path: Path
    start_seconds: float | None = None
    end_seconds: float | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file says of itself.

    `width` and `height` are those of the upright picture (rotation applied).
    `video_id` is a hash of the content, so a moved file keeps its identity.
    """

    path: Path
    video_id: str
    duration_seconds: float
    width: int
    height: int
    frame_rate: float
    codec: str
    size_bytes: int
    modified_seconds: float
    """Modification time, seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a file, encoded as one video; seconds from the file's first frame."""

    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class EncodedWindow:
    """One window's embeddings.

    Attributes:
        vector: [E] float32, unit length.
        segments: [S, E] float32, each unit length, in time order.
        bounds: [S + 1] float64, ascending: segment s lasts from `bounds[s]` to `bounds[s + 1]`, in seconds
            from the file's first frame; the first and the last are the window's own.
        pictures: pairs of seconds and a JPEG file that shows the window from there on, in time order; at
            least one, the first at the window's start.
    """

    window: Window
    vector: NDArray[np.float32]
    segments: NDArray[np.float32]
    bounds: NDArray[np.float64]
    pictures: tuple[tuple[float, bytes], ...]


@dataclass(frozen=True, slots=True)
class EncodedVideo:
    """A file, described and encoded: at least one window, in time order."""

    info: VideoInfo
    windows: tuple[EncodedWindow, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be encoded, and why, in words for its owner."""

    path: Path
    reason: str
