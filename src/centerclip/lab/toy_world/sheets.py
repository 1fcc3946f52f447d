"""Contact sheets: all things, or some scenes with their captions, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from centerclip.lab.toy_world.canvas import draw_thing
from centerclip.lab.toy_world.colors import COLORS, PAINTS
from centerclip.lab.toy_world.grammar import captions
from centerclip.lab.toy_world.motions import Pose
from centerclip.lab.toy_world.scenes import Scene, draw
from centerclip.lab.toy_world.things import THINGS

__all__ = ["contact_sheet"]

_GAP = 8
_PAPER = (240, 244, 246)


def contact_sheet(scenes: Sequence[Scene] | None = None, *, columns: int = 8, seed: int = 0) -> Image.Image:
    """Draw a page of scenes in the middle of their time with a caption each, or of all things.

    Args:
        scenes: what to draw; every thing of the toy world, each in one of the colors, if not given.
        columns: pictures in a row.
        seed: for the words of the captions.
    """
    if scenes is None:
        return _page([_portrait(i) for i in range(len(THINGS))], columns)
    rng = np.random.default_rng(seed)
    pictures = [draw(scene, scene.seconds / 2, (180, 240)) for scene in scenes]
    texts = [captions(scene, rng, 1)[0] for scene in scenes]
    return _page(list(zip(pictures, texts, strict=True)), columns)


def _portrait(number: int) -> tuple[Image.Image, str]:
    """A picture of a thing by its number, and what it is."""
    thing = list(THINGS.values())[number]
    color = list(COLORS)[number % len(COLORS)]
    picture = Image.new("RGB", (112, 112), _PAPER)
    draw_thing(picture, thing, Pose(0, 0, 0.82), main=COLORS[color], outline=PAINTS["ink"])
    return picture, f"{color} {thing.name}"


def _page(cells: Sequence[tuple[Image.Image, str]], columns: int) -> Image.Image:
    """Lay out pictures of equal size in rows, each above its text."""
    font = ImageFont.load_default(size=11)
    width, height = cells[0][0].size
    texts = ["\n".join(wrap(text, width // 6)) for _, text in cells]
    lines = max(text.count("\n") + 1 for text in texts)
    across, down = width + _GAP, height + 14 * lines + _GAP
    rows = -(-len(cells) // columns)
    page = Image.new("RGB", (columns * across + _GAP, rows * down + _GAP), _PAPER)
    pen = ImageDraw.Draw(page)
    for i, ((picture, _), text) in enumerate(zip(cells, texts, strict=True)):
        x, y = _GAP + i % columns * across, _GAP + i // columns * down
        page.paste(picture, (x, y))
        pen.multiline_text((x, y + height + 1), text, PAINTS["ink"], font, spacing=1)
    return page
