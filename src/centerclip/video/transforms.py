"""Resize frames to a model's input size. Knows pictures only: no files, no models."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from centerclip.preprocessing import Preprocessing

__all__ = ["fit"]

_MAX_ASPECT = 16
"""A longer strip is first cropped to this aspect ratio, because resizing it would take gigabytes."""


def fit(frames: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Resize frames as the model's own image processor does.

    Sizes are rounded as in `transformers`. Pixels equal Pillow's within one level of 255, except for at most
    2 in 1000 in a noisy picture.

    Args:
        frames: [T, 3, H, W] uint8 on the CPU; not modified. Fastest with channels last in memory.
        preprocessing: the size (at least 2 pixels in total), the resize mode and the filter.

    Returns:
        [T, 3, height, width] uint8, contiguous.

    Source: CLIP (arXiv 2103.00020), section 2.4 and the released preprocessing; SigLIP (arXiv 2303.15343).
    """
    height, width = preprocessing.image_size
    if preprocessing.resize == "squash":  # needs no more memory than the frame, even for a strip
        return _scale(frames, (height, width), preprocessing).contiguous()  # [T, 3, height, width]
    tall, wide = frames.shape[-2:]
    if max(tall, wide) > _MAX_ASPECT * min(tall, wide):
        tall, wide = min(tall, _MAX_ASPECT * wide), min(wide, _MAX_ASPECT * tall)
        frames = _center_crop(frames, tall, wide)  # [T, 3, tall, wide]
    edge = preprocessing.shortest_edge
    least_height, least_width = (height, width) if edge is None else (edge, edge)
    if tall * least_width > wide * least_height:  # too tall: the width decides
        scaled = (least_width * tall // wide, least_width)
    else:
        scaled = (least_height, least_height * wide // tall)
    frames = _scale(frames, scaled, preprocessing)  # [T, 3, *scaled]
    return _center_crop(frames, height, width).contiguous()  # [T, 3, height, width]


def _scale(frames: Tensor, size: tuple[int, int], preprocessing: Preprocessing) -> Tensor:
    if size == tuple(frames.shape[-2:]):
        return frames
    mode, antialias = preprocessing.interpolation, preprocessing.antialias
    if mode in ("bilinear", "bicubic"):
        return interpolate(frames, size=size, mode=mode, antialias=antialias, align_corners=False)
    # Torch has no lanczos, and its nearest picks other pixels than Pillow's.
    resample = {"lanczos": Image.Resampling.LANCZOS, "nearest": Image.Resampling.NEAREST}[mode]
    pictures = [Image.fromarray(frame.permute(1, 2, 0).numpy()) for frame in frames]
    scaled = np.stack([np.asarray(picture.resize(size[::-1], resample)) for picture in pictures])
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)  # [T, 3, *size]


def _center_crop(frames: Tensor, height: int, width: int) -> Tensor:
    top, left = (frames.shape[-2] - height) // 2, (frames.shape[-1] - width) // 2
    return frames[..., top : top + height, left : left + width]
