"""Small pictures that stand for a window in a list of results."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["is_telling", "to_jpeg"]

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


def to_jpeg(picture: NDArray[np.uint8], *, max_width: int = 320, quality: int = 80) -> bytes:
    """Encode a picture as a small JPEG file; it is never enlarged.

    Args:
        picture: [H, W, 3] uint8 RGB.
        max_width: in pixels; the height is at most twice as much.
        quality: of JPEG, 1 to 95.
    """
    image = Image.fromarray(picture)
    image.thumbnail((max_width, 2 * max_width), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()
