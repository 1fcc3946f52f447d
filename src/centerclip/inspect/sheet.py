"""Draws a sheet: frames in their segments with dropped patches dimmed, and the clusters in color below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from centerclip.inspect.layout import FOOT, LAYER_GAP, MARGIN, Card, arrange
from centerclip.inspect.lettering import fit, font, font_for
from centerclip.inspect.patches import cluster_colors, dim_dropped, tint_clusters
from centerclip.inspect.views import Footage, View

__all__ = ["draw_sheet", "legend", "printable", "resized", "stretch"]

BACK, CARD, INK, GRAY = (24, 24, 27), (39, 39, 42), (244, 244, 245), (161, 161, 170)
_NAME, _HEADING, _TEXT = 24, 20, 15


def draw_sheet(footage: Footage, views: Sequence[View]) -> Image.Image:
    """Draw the results of one or several reductions of a window, side by side.

    Each view is a panel and each segment a card, with the time and the number of kept patches of each frame.
    Clusters are drawn below the frames, if any view has some.

    Args:
        footage: the frames.
        views: at least one, of these frames.
    """
    layers = 1 + any(view.labels is not None for view in views)
    text_width = max(round(font(_TEXT).getlength(view.summary)) for view in views)
    plan = arrange([view.segments for view in views], views[0].grid, layers=layers, min_width=text_width)
    canvas = Image.new("RGB", (plan.width, plan.height), BACK)
    pen = ImageDraw.Draw(canvas)
    room = plan.width - 2 * MARGIN
    name = printable(footage.name)
    own = font_for(name, _NAME)
    pen.text((MARGIN, MARGIN), fit(name, room, own), fill=INK, font=own)
    pen.text((MARGIN, MARGIN + 34), stretch(footage), fill=GRAY, font=font(_TEXT))
    pictures = resized(footage.pictures, plan.cell)
    for panel, view in zip(plan.panels, views, strict=True):
        pen.text((panel.left, panel.top), view.reducer, fill=INK, font=font(_HEADING))
        pen.text((panel.left, panel.top + 29), view.summary, fill=GRAY, font=font(_TEXT))
        colors = None if view.labels is None else cluster_colors(view)
        for card in panel.cards:
            _draw_card(canvas, card, footage, view, pictures, colors, layers)
    for number, line in enumerate(legend(views)):
        top = plan.height - MARGIN - FOOT + 16 + 22 * number
        pen.text((MARGIN, top), line, fill=GRAY, font=font(_TEXT))
    return canvas


def stretch(footage: Footage) -> str:
    """Return the part of the file and the number of frames, as text."""
    start, end = footage.window.start_seconds, footage.window.end_seconds
    frames = len(footage.seconds)
    return f"{start:.1f} to {end:.1f} s, {frames} frame{'s' if frames > 1 else ''}"


def legend(views: Sequence[View]) -> list[str]:
    """Explain the parts that are drawn, one line each."""
    lines = []
    if any(view.kept is not None for view in views):
        lines.append("Above, kept patches are clear and dropped ones dimmed.")
    if any(view.labels is not None for view in views):
        lines.append("Below, each cluster of a segment has a color; its kept patch, the medoid, is outlined.")
    return lines


def printable(text: str) -> str:
    """Replace control characters and undecodable bytes of a name by question marks."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def resized(pictures: NDArray[np.uint8], size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Resize pictures [T, h, w, 3] to (height, width)."""
    across = (size[1], size[0])
    return [
        np.asarray(Image.fromarray(picture).resize(across, Image.Resampling.LANCZOS)) for picture in pictures
    ]


def _draw_card(
    canvas: Image.Image,
    card: Card,
    footage: Footage,
    view: View,
    pictures: Sequence[NDArray[np.uint8]],
    colors: NDArray[np.uint8] | None,
    layers: int,
) -> None:
    pen, text = ImageDraw.Draw(canvas), font(_TEXT)
    pen.rounded_rectangle(card.box, 8, fill=CARD)
    first = card.slots[0]
    pen.text((first.left, card.box[1] + 7), f"segment {card.segment + 1}", fill=GRAY, font=text)
    height, width = pictures[0].shape[:2]
    for slot in card.slots:
        picture = pictures[slot.frame]
        shown = picture if view.kept is None else dim_dropped(picture, view.kept[slot.frame], view.grid)
        canvas.paste(Image.fromarray(shown), (slot.left, slot.top))
        below = slot.top + height + LAYER_GAP
        if view.labels is not None and colors is not None:
            kept = None if view.kept is None else view.kept[slot.frame]
            labels = view.labels[slot.frame]
            tinted = tint_clusters(picture, colors[slot.frame], labels, kept, view.grid)
            canvas.paste(Image.fromarray(tinted), (slot.left, below))
        elif layers > 1:
            pen.rectangle((slot.left, below, slot.left + width - 1, below + height - 1), fill=BACK)
            if slot == first:
                middle = (slot.left + width / 2, below + height / 2)
                pen.text(middle, "no clusters", fill=GRAY, font=text, anchor="mm")
        line = slot.top + layers * (height + LAYER_GAP) + 14
        small = font(_TEXT if width > 120 else 13)
        pen.text(
            (slot.left, line), f"{footage.seconds[slot.frame]:.1f} s", fill=GRAY, font=small, anchor="ls"
        )
        if view.counts is not None:
            of = " of " if width > 100 else "/"
            kept_patches = f"{view.counts[slot.frame]}{of}{view.grid[0] * view.grid[1]}"
            pen.text((slot.left + width, line), kept_patches, fill=INK, font=small, anchor="rs")
