"""Pictures at the size and scale a model takes. Knows tensors only: no files, no models."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

__all__ = ["normalize", "resize_crop"]

_MAX_ASPECT = 16
"""A longer strip is first cut to this many times its short side, or resizing it would take gigabytes."""


def resize_crop(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale frames until they just cover `size`, and cut out the middle.

    For a square size this is CLIP's preprocessing: bicubic with antialiasing on the short side, then a
    center crop, with the same rounding as `transformers`; equal to Pillow within one level.

    Args:
        frames: [T, 3, H, W] uint8; not modified. Fast where channels are last in memory.
        size: (height, width) wanted, at least 2 pixels in all.

    Returns:
        [T, 3, height, width] uint8, contiguous.

    Source: CLIP (arXiv 2103.00020), section 2.4 and the released preprocessing.
    """
    height, width = size
    tall, wide = frames.shape[-2:]
    if max(tall, wide) > _MAX_ASPECT * min(tall, wide):
        frames = _center_crop(frames, min(tall, _MAX_ASPECT * wide), min(wide, _MAX_ASPECT * tall))
        tall, wide = frames.shape[-2:]
    if tall * width > wide * height:  # too tall: the width decides
        scaled = (width * tall // wide, width)
    else:
        scaled = (height, height * wide // tall)
    if scaled != (tall, wide):
        frames = interpolate(frames, size=scaled, mode="bicubic", antialias=True, align_corners=False)
    return _center_crop(frames, height, width).contiguous()  # [T, 3, height, width]


def _center_crop(frames: Tensor, height: int, width: int) -> Tensor:
    top, left = (frames.shape[-2] - height) // 2, (frames.shape[-1] - width) // 2
    return frames[..., top : top + height, left : left + width]


def normalize(frames: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Turn 0..255 into the scale a model was trained on: (x / 255 - mean) / std, channel by channel.

    Args:
        frames: [..., 3, h, w] uint8.
        mean: 3 values, for x in 0..1.
        std: 3 values above zero.

    Returns:
        [..., 3, h, w] float32.
    """
    scale = torch.tensor(std, dtype=torch.float32, device=frames.device).mul(255).reciprocal()
    shift = torch.tensor(mean, dtype=torch.float32, device=frames.device).mul(255)
    return (frames.float() - shift[:, None, None]) * scale[:, None, None]
