"""Small pictures that stand for a window in a list of results."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["is_telling", "thumbnail", "to_jpeg"]

_MAX_WIDTH = 320
_QUALITY = 80

# In levels of 255, on the luma. Fades and leader film lie below; night scenes and fog do not.
_DARK = 24.0
_FLAT = 10.0


def is_telling(picture: NDArray[np.uint8]) -> bool:
    """Whether there is something to see: a picture that is neither dark nor flat.

    Args:
        picture: [H, W, 3] uint8 RGB.
    """
    step = max(1, min(picture.shape[:2]) // 64)
    luma = picture[::step, ::step].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # [h, w]
    return bool(luma.mean() > _DARK and luma.std() > _FLAT)


def thumbnail(pictures: Sequence[NDArray[np.uint8]]) -> bytes:
    """Make a JPEG of the picture nearest the middle that is telling, or else of the middle one.

    Args:
        pictures: at least one, each [H, W, 3] uint8 RGB, in time order.

    Returns:
        A JPEG file at most 320 pixels wide, never enlarged.
    """
    middle = (len(pictures) - 1) / 2
    nearest = sorted(range(len(pictures)), key=lambda place: abs(place - middle))
    best = next((place for place in nearest if is_telling(pictures[place])), nearest[0])
    return to_jpeg(pictures[best])


def to_jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Encode a picture [H, W, 3] uint8 RGB as a JPEG file at most 320 pixels wide and 640 tall."""
    image = Image.fromarray(picture)
    image.thumbnail((_MAX_WIDTH, 2 * _MAX_WIDTH), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
