"""An animation: the frames of a window one after the other, as the model keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from centerclip.inspect.lettering import fit, font
from centerclip.inspect.patches import cluster_colors, dim_dropped, tint_clusters
from centerclip.inspect.sheet import BACK, CARD, GRAY, INK, resized
from centerclip.inspect.views import Footage, View

__all__ = ["delays", "draw_animation", "save_animation"]

_CELL = 224
_MARGIN, _GAP, _HEAD, _FOOT = 16, 8, 46, 40
_QUICKEST, _SLOWEST = 100, 600
"""Milliseconds a frame: the eye must be able to follow, and not to wait."""
_LIT = (250, 204, 21)


def draw_animation(footage: Footage, views: Sequence[View]) -> list[Image.Image]:
    """Draw a picture a frame: what each view keeps of it, its clusters, and where in the window it is.

    Args:
        footage: the frames.
        views: at least one, of these frames; they stand side by side, the clusters below (or beside the
            frame, where there is one view alone).
    """
    rows, columns = views[0].grid
    patch = max(1, _CELL // max(rows, columns))
    height, width = rows * patch, columns * patch
    pictures = resized(footage.pictures, (height, width))
    colors = [None if view.labels is None else cluster_colors(view) for view in views]
    layers = 1 + any(found is not None for found in colors)
    aside = len(views) == 1
    panel = (layers * (width + _GAP) if aside else width + _GAP) - _GAP
    lines = 1 if aside else layers
    size = (
        max(2 * _MARGIN + len(views) * (panel + _GAP) - _GAP, 2 * _MARGIN + _CELL),
        2 * _MARGIN + _HEAD + lines * (height + _GAP) - _GAP + _FOOT,
    )
    drawn = []
    for frame, picture in enumerate(pictures):
        canvas = Image.new("RGB", size, BACK)
        pen = ImageDraw.Draw(canvas)
        for number, (view, found) in enumerate(zip(views, colors, strict=True)):
            left, top = _MARGIN + number * (panel + _GAP), _MARGIN + _HEAD
            counts = view.counts
            kept = None if view.kept is None else view.kept[frame]
            told = "blended" if counts is None else f"{counts[frame]} of {rows * columns} kept"
            pen.text((left, _MARGIN), fit(view.reducer, panel, font(16)), fill=INK, font=font(16))
            pen.text((left, _MARGIN + 22), told, fill=GRAY, font=font(14))
            shown = picture if kept is None else dim_dropped(picture, kept, view.grid)
            canvas.paste(Image.fromarray(shown), (left, top))
            corner = (left + width + _GAP, top) if aside else (left, top + height + _GAP)
            if view.labels is not None and found is not None:
                tinted = tint_clusters(picture, found[frame], view.labels[frame], kept, view.grid)
                canvas.paste(Image.fromarray(tinted), corner)
            elif layers > 1:
                middle = (corner[0] + width / 2, corner[1] + height / 2)
                pen.text(middle, "no clusters", fill=GRAY, font=font(14), anchor="mm")
        _draw_time(pen, size, frame, footage, views[-1].segments)
        drawn.append(canvas)
    return drawn


def save_animation(pictures: Sequence[Image.Image], footage: Footage, path: Path) -> None:
    """Write pictures, one a frame of the footage, as a GIF that repeats.

    Raises:
        OSError: it can't be written.
    """
    quantized = [picture.quantize(256) for picture in pictures]
    first, *others = quantized
    first.save(path, "GIF", save_all=True, append_images=others, duration=delays(footage), loop=0, disposal=1)


def delays(footage: Footage) -> list[int]:
    """Milliseconds for which each frame is shown: its own time, within what can be watched."""
    ends = [*footage.seconds[1:], footage.window.end_seconds]
    lengths = (round(1000 * (end - start)) for start, end in zip(footage.seconds, ends, strict=True))
    return [min(max(length, _QUICKEST), _SLOWEST) // 10 * 10 for length in lengths]


def _draw_time(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], frame: int, footage: Footage, segments: Sequence[int]
) -> None:
    """A bar with a tick a frame and a gap between segments, and the time."""
    width, height = size
    top = height - _MARGIN - 26
    step = (width - 2 * _MARGIN + 3) / len(segments)
    for number, segment in enumerate(segments):
        begins = number > 0 and segments[number - 1] != segment
        left = _MARGIN + number * step + (2 if begins else 0)
        right = max(left, _MARGIN + (number + 1) * step - 4)
        pen.rectangle((left, top, right, top + 5), fill=_LIT if number == frame else CARD)
    text = f"{footage.seconds[frame]:.1f} s"
    pen.text((_MARGIN, height - _MARGIN), text, fill=GRAY, font=font(14), anchor="ls")
    place = f"segment {segments[frame] + 1}"
    pen.text((width - _MARGIN, height - _MARGIN), place, fill=GRAY, font=font(14), anchor="rs")
