"""Small pictures that represent windows in search results."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate

__all__ = ["is_telling", "to_jpeg"]

# In levels of 255, on the luma. Fades and leader film are below; night scenes and fog are not.
_DARK = 24.0
_FLAT = 10.0


def is_telling(picture: NDArray[np.uint8]) -> bool:
    """Whether an [H, W, 3] uint8 RGB picture shows something: it is neither dark nor flat."""
    step = max(1, min(picture.shape[:2]) // 64)
    luma = picture[::step, ::step].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # [h, w]
    return bool(luma.mean() > _DARK and luma.std() > _FLAT)


def to_jpeg(picture: NDArray[np.uint8], *, max_width: int = 320, quality: int = 80) -> bytes:
    """Encode an [H, W, 3] uint8 RGB picture as a small JPEG file; it is never enlarged.

    Args:
        max_width: in pixels; the height is at most twice that.
        quality: JPEG quality, 1 to 95.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, max_width / width, 2 * max_width / height)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = torch.from_numpy(picture).permute(2, 0, 1)[None]
    if scale < 1:  # by torch, which takes a tenth of Pillow's time
        small = interpolate(small, size=size, mode="bilinear", antialias=True)
    image = Image.merge("RGB", [Image.fromarray(channel) for channel in small[0].numpy()])
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()
