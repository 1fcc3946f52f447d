"""A decoded frame as an upright RGB picture."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

__all__ = ["PictureMaker"]


class PictureMaker:
    """Converts frames to RGB and turns them upright.

    Pixels stay as they are stored: a sample aspect ratio other than 1 is not applied.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()  # keeps its tables from frame to frame

    def picture(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Convert one frame.

        Returns:
            [H, W, 3] uint8, RGB, as a viewer sees it.
        """
        rgb = self._reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()  # [h, w, 3]
        return np.ascontiguousarray(_upright(frame, rgb.astype(np.uint8, copy=False)))


def _upright(frame: VideoFrame, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Apply the display matrix of a frame, rounded to one of the eight quarter turns and mirrorings."""
    if "DISPLAYMATRIX" not in frame.side_data:
        return picture
    matrix = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]  # absent from PyAV's stub
    # Row-major 3x3; a point (x, y) of the stored picture is shown at (a x + c y, b x + d y).
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    if max(abs(b), abs(c)) > max(abs(a), abs(d)):
        picture, a, d = picture.transpose(1, 0, 2), c, b
    return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
