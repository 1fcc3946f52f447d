"""A file as a stream of windows, each decoded when it is asked for."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from centerclip.records import VideoInfo, Window
from centerclip.video import VideoReader, cut_windows, read_windows

__all__ = ["DecodedWindow", "decode_windows"]


@dataclass(frozen=True, slots=True, eq=False)
class DecodedWindow:
    """A window's frames, [V, 3, H, W] uint8 at the model's size, with its thumbnail and its file.

    V is T, or less where several of the T instants show the same frame.
    """

    info: VideoInfo
    window: Window
    frames: Tensor
    thumbnail: bytes


def decode_windows(
    path: Path, *, window_seconds: float, frames: int, size: tuple[int, int]
) -> Generator[DecodedWindow, None, None]:
    """Open a file and decode it window by window, each when it is asked for; only that one is in memory.

    Args:
        path: of the video.
        window_seconds: a longer file is cut into windows of about this length at most; see `cut_windows`.
        frames: T, frames a window.
        size: (height, width) in pixels.

    Yields:
        At least one window, in time order.

    Raises:
        VideoError: no frames can be had.
    """
    with VideoReader(path) as reader:
        info = reader.info
        windows = cut_windows(info.duration_seconds, window_seconds, cuts=reader.scene_cuts())
        for window, seen in zip(windows, read_windows(reader, windows, frames, size), strict=True):
            yield DecodedWindow(info, window, *seen)
