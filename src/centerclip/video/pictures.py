"""A decoded frame as an upright RGB picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

__all__ = ["PictureMaker", "Place", "upright_size"]

Place: TypeAlias = Callable[[int, int], NDArray[np.uint8]]
"""Returns the [H, W, 3] uint8 array into which to write a picture of H x W pixels."""


class PictureMaker:
    """Converts frames to upright RGB. Pixels are assumed square: a sample aspect ratio isn't applied."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()  # reuses its tables for every frame

    def picture(self, frame: VideoFrame, place: Place | None = None) -> NDArray[np.uint8]:
        """Return a frame as a viewer sees it: [H, W, 3] uint8 RGB, written into the array from `place`."""
        rgb = self._reformatter.reformat(frame, format="rgb24", threads=1)
        plane = rgb.planes[0]
        stored = np.ndarray(
            (rgb.height, rgb.width, 3), np.uint8, memoryview(plane), strides=(plane.line_size, 3, 1)
        )
        swapped, down, across = _turn(frame)
        upright = (stored.transpose(1, 0, 2) if swapped else stored)[::down, ::across]  # [H, W, 3]
        picture = np.empty(upright.shape, np.uint8) if place is None else place(*upright.shape[:2])
        np.copyto(picture, upright)
        return picture


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """Return the (height, width) of a frame as a viewer sees it."""
    swapped, _, _ = _turn(frame)
    return (frame.width, frame.height) if swapped else (frame.height, frame.width)


def _turn(frame: VideoFrame) -> tuple[bool, int, int]:
    """Round a frame's display matrix to one of the eight rotations and reflections.

    Returns:
        Whether rows and columns are swapped, then the steps through rows and through columns: 1 or -1.
    """
    # Not `frame.side_data`: it puts the frame, and megabytes with it, into a reference cycle that only the
    # garbage collector breaks.
    try:
        side_data = SideDataContainer(frame)  # type: ignore[call-arg]  # PyAV's stub lacks the argument
    except ValueError:  # a kind that PyAV doesn't know
        return False, 1, 1
    if "DISPLAYMATRIX" not in side_data:
        return False, 1, 1
    # Row-major 3x3; a point (x, y) of the stored picture is shown at (a x + c y, b x + d y).
    a, b, _, c, d, *_ = np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), np.int32).tolist()
    swapped = max(abs(b), abs(c)) > max(abs(a), abs(d))
    across, down = (c, b) if swapped else (a, d)
    return swapped, -1 if down < 0 else 1, -1 if across < 0 else 1
