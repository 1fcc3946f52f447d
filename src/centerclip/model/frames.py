"""Checks frames before they are encoded, so that a mistake is named where it is made."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from centerclip.preprocessing import Preprocessing

__all__ = ["check_frames"]


def check_frames(frames: object, preprocessing: Preprocessing) -> None:
    """Check that frames are what `CenterCLIP.preprocess` returns.

    Args:
        frames: should be [B, T, 3, H, W], normalized floats.
        preprocessing: of the model.

    Raises:
        ValueError: they are something else; the message says what to do.
    """
    given: object = frames[0] if isinstance(frames, list | tuple) and frames else frames
    if isinstance(given, str | Path):
        raise ValueError(
            f"frames is the path {str(given)!r}, but a model encodes tensors: "
            "VideoEncoder(model).encode_file(path) reads a file and encodes it"
        )
    if not isinstance(frames, Tensor):
        raise ValueError(
            f"frames is a {type(frames).__name__}: torch.as_tensor makes the tensor that is needed"
        )
    height, width = preprocessing.image_size
    needed = f"normalized floats [B, T, 3, {height}, {width}]"
    what = f"frames are {frames.dtype} {list(frames.shape)}, but must be {needed}"
    if frames.dtype == torch.uint8:
        raise ValueError(f"{what}: normalize them, as in model.encode_video(model.preprocess(frames))")
    if frames.ndim == 4:
        raise ValueError(f"{what}: for a single video give frames[None]")
    if frames.ndim != 5 or not frames.is_floating_point() or frames.shape[2:] != (3, height, width):
        raise ValueError(f"{what}: centerclip.video resizes frames, and model.preprocess normalizes them")
    if 0 in frames.shape[:2]:
        raise ValueError(f"{what}: there is no {'video' if frames.shape[0] == 0 else 'frame'} to encode")
    if frames[..., ::16, ::16].amin() >= 0 and _look_unnormalized(frames, preprocessing):
        raise ValueError(
            "frames are floats from 0 to 1, but must be normalized: give uint8 frames to model.preprocess, "
            "which divides by 255 itself"
        )


def _look_unnormalized(frames: Tensor, preprocessing: Preprocessing) -> bool:
    """Whether frames span 0..1, and aren't a bright video that was normalized, whose pixels are integers."""
    low, high = (float(end) for end in frames.aminmax())
    if not (0 <= low < 0.1 and 0.9 < high <= 1):
        return False
    sample = frames[..., ::4, ::4].double()
    mean, std = (
        sample.new_tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std)
    )
    pixels = (sample * std + mean) * 255
    # Else their mean distance to integers is 1/4; rounding to bfloat16 makes it 1/8 at most.
    return bool((pixels - pixels.round()).abs().mean() > 0.17)
