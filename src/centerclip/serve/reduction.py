"""See the reduction: a window's frames with the patches that were dropped dimmed, and the kept ones clear."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from centerclip.model import CenterCLIP
from centerclip.model.trace import Stage
from centerclip.records import Window
from centerclip.video import VideoReader, read_window

__all__ = ["draw_reduction"]

_CELL = 168
"""Pixels on the longer side of a frame."""
_GAP, _CAPTION = 8, 20
_BACK, _INK, _GRAY = (24, 24, 27), (244, 244, 245), (161, 161, 170)
_DIM = 0.22


def draw_reduction(model: CenterCLIP, path: Path, window: Window) -> bytes:
    """Draw what the model keeps of a window: a row a segment, each frame with its count of kept patches.

    Args:
        model: with its schedule; where the schedule is `none`, all patches are kept.
        path: of the file.
        window: the stretch of it.

    Returns:
        A PNG file.

    Raises:
        VideoError: the file can't be decoded.
    """
    with VideoReader(path) as reader:
        frames, _ = read_window(reader, window, model.frames, model.image_size)  # [T, 3, H, W]
    stage = _last_stage(model, frames)
    patches = model.backbone.patches
    segments = list(range(len(frames))) if stage is None else list(stage.frame_segments)
    kept = np.ones((len(frames), patches), dtype=bool)
    if stage is not None and stage.kept is not None:
        kept[:] = False
        kept.reshape(-1)[stage.kept[0].flatten().cpu().numpy()] = True
    pictures = frames.permute(0, 2, 3, 1).numpy()  # [T, H, W, 3]
    blended = stage is not None and stage.kept is None
    return _draw(pictures, kept, segments, _title(model, kept, stage, blended=blended), blended=blended)


@torch.inference_mode()
def _last_stage(model: CenterCLIP, frames: torch.Tensor) -> Stage | None:
    stages = model.trace(model.preprocess(frames.unsqueeze(0).to(model.device)))
    return stages[-1] if stages else None


def _title(model: CenterCLIP, kept: NDArray[np.bool_], stage: Stage | None, *, blended: bool) -> str:
    total = kept.size
    if stage is None:
        return f"schedule none: all {total} patches go through all blocks"
    after = f"after block {stage.reduction.block}"
    left = stage.reduction.segments * stage.reduction.tokens
    if blended:
        return f"{model.reducer.name}: {left} tokens, blended of all {total} patches, go on {after}"
    return f"{model.reducer.name}: {left} of {total} patches go on {after}"


def _draw(
    pictures: NDArray[np.uint8],
    kept: NDArray[np.bool_],
    segments: Sequence[int],
    title: str,
    *,
    blended: bool,
) -> bytes:
    """Lay the frames out: a row a segment, or one row for all where each frame is a segment of its own."""
    alone = len(set(segments)) == len(segments)
    columns = 6 if alone else max(segments.count(segment) for segment in set(segments))
    height, width = (round(_CELL * side / max(pictures.shape[1:3])) for side in pictures.shape[1:3])
    places = []
    for number, segment in enumerate(segments):
        before = number if alone else segments[:number].count(segment)
        places.append((number // columns, number % columns) if alone else (segment, before))
    rows = max(row for row, _ in places) + 1
    columns = max(column for _, column in places) + 1
    canvas_width = max(2 * _GAP + columns * (width + _GAP), 420)
    size = (canvas_width, _CAPTION + 2 * _GAP + rows * (height + _CAPTION + _GAP))
    canvas = Image.new("RGB", size, _BACK)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    pen.text((_GAP, _GAP), title, fill=_INK, font=font)
    for number, (row, column) in enumerate(places):
        left = _GAP + column * (width + _GAP)
        top = _CAPTION + 2 * _GAP + row * (height + _CAPTION + _GAP)
        shown = Image.fromarray(_dimmed(pictures[number], kept[number]))
        canvas.paste(shown.resize((width, height), Image.Resampling.BICUBIC), (left, top))
        count = "blended" if blended else f"{kept[number].sum()} of {kept.shape[1]}"
        pen.text((left, top + height + 2), f"frame {number + 1}: {count}", fill=_GRAY, font=font)
    file = io.BytesIO()
    canvas.save(file, "PNG", optimize=True)
    return file.getvalue()


def _dimmed(picture: NDArray[np.uint8], kept: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Darken and gray the patches [P] that were dropped; patches tile the picture in rows."""
    height, width = picture.shape[:2]
    rows = max(1, round((len(kept) * height / width) ** 0.5))
    grid = kept.reshape(rows, -1)
    down, across = height // grid.shape[0], width // grid.shape[1]
    mask = np.zeros((height, width), dtype=bool)
    tiled = grid.repeat(down, axis=0).repeat(across, axis=1)
    mask[: tiled.shape[0], : tiled.shape[1]] = tiled
    gray = picture.mean(axis=2, keepdims=True) * _DIM
    return np.where(mask[..., None], picture, gray.astype(np.uint8)).astype(np.uint8)
