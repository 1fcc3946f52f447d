"""Read a picture as a video of one frame."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from centerclip.errors import VideoError
from centerclip.preprocessing import Preprocessing
from centerclip.video import fit

__all__ = ["read_picture"]

# What Pillow raises on damaged files, apart from its own classes, which are OSErrors.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error)


def read_picture(path: Path, preprocessing: Preprocessing) -> Tensor:
    """Open a picture, apply its EXIF orientation, and resize it for a model.

    Args:
        path: any format that Pillow reads; of an animation, the first picture.
        preprocessing: of the model.

    Returns:
        [1, 3, H, W] uint8, RGB.

    Raises:
        VideoError: it can't be read, or is large enough to exhaust the memory.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise VideoError(f"{path}: has more than {Image.MAX_IMAGE_PIXELS} pixels; make it smaller") from error
    except _DAMAGED as error:
        reason = getattr(error, "strerror", None) or "not a picture, or damaged"
        raise VideoError(f"{path}: can't be opened as a picture ({reason})") from error
    pixels = torch.from_numpy(np.array(upright)).permute(2, 0, 1)  # [3, h, w]
    return fit(pixels.unsqueeze(0), preprocessing)
