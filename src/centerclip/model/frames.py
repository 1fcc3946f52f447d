"""Checks batches of frames, and splits those whose videos have different numbers of valid frames."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from centerclip.preprocessing import Preprocessing

__all__ = ["by_length", "check_frames", "join_rows"]


def check_frames(frames: object, preprocessing: Preprocessing) -> None:
    """Check that frames are what `CenterCLIP.preprocess` returns: [B, T, 3, H, W], normalized floats.

    Raises:
        ValueError: they aren't; the message says what to do.
    """
    first: object = frames[0] if isinstance(frames, list | tuple) and frames else frames
    if isinstance(first, str | Path):
        raise ValueError(
            f"frames is the path {str(first)!r}, but a model encodes tensors: "
            "VideoEncoder(model).encode_file(path) reads a file and encodes it"
        )
    if not isinstance(frames, Tensor):
        raise ValueError(f"frames is a {type(frames).__name__}: convert it with torch.as_tensor")
    height, width = preprocessing.image_size
    what = (
        f"frames are {frames.dtype} {list(frames.shape)}, but must be normalized floats "
        f"[B, T, 3, {height}, {width}]"
    )
    if frames.dtype == torch.uint8:
        raise ValueError(f"{what}: normalize them, as in model.encode_video(model.preprocess(frames))")
    if frames.ndim == 4:
        raise ValueError(f"{what}: for a single video give frames[None]")
    if frames.ndim != 5 or not frames.is_floating_point() or frames.shape[2:] != (3, height, width):
        raise ValueError(f"{what}: centerclip.video resizes frames, and model.preprocess normalizes them")
    if 0 in frames.shape[:2]:
        raise ValueError(f"{what}: there is no {'video' if frames.shape[0] == 0 else 'frame'} to encode")
    if torch.compiler.is_compiling():  # a graph can't depend on values
        return
    low, high = frames[..., ::16, ::16].aminmax()  # of normalized pixels, at most 3 from zero
    if low >= 0 and (high > 20 or _look_unnormalized(frames, preprocessing)):
        raise ValueError(
            f"frames are floats from 0 to {255 if high > 20 else 1}, but must be normalized: give uint8 "
            "frames to model.preprocess, which divides by 255 itself"
        )


def _look_unnormalized(frames: Tensor, preprocessing: Preprocessing) -> bool:
    """Whether frames span 0..1 and aren't a bright normalized video, whose original pixels are integers."""
    low, high = (float(end) for end in frames.aminmax())
    if not (0 <= low < 0.1 and 0.9 < high <= 1):
        return False
    sample = frames[..., ::4, ::4].double()
    mean, std = (
        sample.new_tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std)
    )
    pixels = (sample * std + mean) * 255
    # Non-integers are 1/4 from an integer on average; rounding integers to bfloat16 gives at most 1/8.
    return bool((pixels - pixels.round()).abs().mean() > 0.17)


def by_length(frames: Tensor, mask: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Split a batch into parts whose videos have the same number of valid frames.

    Args:
        frames: [B, T, 3, H, W].
        mask: [B, T] bool, or None if all frames are valid.

    Yields:
        Row numbers [b] int64 and the valid frames [b, V, 3, H, W] of these rows, in temporal order.

    Raises:
        ValueError: a mask of another shape or dtype, or a video without a valid frame.
    """
    every_row = torch.arange(frames.shape[0], device=frames.device)
    if mask is None:
        yield every_row, frames
        return
    if mask.dtype != torch.bool or mask.shape != frames.shape[:2]:
        raise ValueError(
            f"mask is {mask.dtype} {tuple(mask.shape)}, but must be bool {tuple(frames.shape[:2])}"
        )
    mask = mask.to(frames.device)
    counts = mask.sum(dim=1)
    lengths = sorted(set(counts.tolist()))
    if 0 in lengths:
        raise ValueError("a video of the batch has no valid frame: leave it out")
    if lengths == [frames.shape[1]]:
        yield every_row, frames
        return
    for length in lengths:
        rows = every_row[counts == length]
        valid = frames[rows][mask[rows]]  # [b*V, 3, H, W]
        yield rows, valid.view(len(rows), length, *frames.shape[2:])  # [b, V, 3, H, W]


def join_rows(parts: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Join (row numbers [b], values [b, ...]) of all parts into [B, ...], in the order of the batch."""
    if len(parts) == 1:
        return parts[0][1]
    order = torch.cat([rows for rows, _ in parts]).argsort()
    return torch.cat([values for _, values in parts])[order]  # [B, ...]
