"""Read a picture as a video of one frame."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from centerclip.preprocessing import Preprocessing
from centerclip.video import fit, read_still

__all__ = ["read_picture"]

_ENOUGH = 1024
"""A picture is reduced while it is read if its sides keep this length, or four times the model's input."""


def read_picture(path: Path, preprocessing: Preprocessing) -> Tensor:
    """Open a picture, apply its EXIF orientation, and resize it for a model.

    Args:
        path: any common format; of an animation, the first picture.
        preprocessing: of the model.

    Returns:
        [1, 3, H, W] uint8, RGB.

    Raises:
        VideoError: it can't be read, is too large, or would take minutes to decode.
    """
    edge = max(
        _ENOUGH, *(4 * side for side in preprocessing.image_size), 4 * (preprocessing.shortest_edge or 0)
    )
    pixels = torch.from_numpy(read_still(path, edge)).permute(2, 0, 1)  # [3, h, w]
    return fit(pixels.unsqueeze(0), preprocessing)
