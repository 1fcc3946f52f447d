"""Pixels: backgrounds painted in unit coordinates, and things drawn onto them with smooth edges.

(0, 0) is the center of a picture of any size; its top edge is y = -1 and its bottom edge y = 1. Edges are
smoothed by painting at a larger size and averaging.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from centerclip.lab.toy_world.colors import RGB, mix, paint
from centerclip.lab.toy_world.motions import Pose
from centerclip.lab.toy_world.shapes import Thing

__all__ = ["Canvas", "draw_thing"]

_FINER = 3
"""Oversampling per axis: 2 leaves visible steps, 4 takes twice the time for little gain."""


class Canvas:
    """A background while it is painted; `aspect` is the x of its right edge."""

    def __init__(self, size: tuple[int, int]) -> None:
        height, width = size
        self.aspect = width / height
        self._unit = height * _FINER / 2
        self._image = Image.new("RGB", (width * _FINER, height * _FINER))
        self._draw = ImageDraw.Draw(self._image)

    def _pixels(self, *flat: float) -> list[float]:
        return [float((value + (1 if i % 2 else self.aspect)) * self._unit) for i, value in enumerate(flat)]

    def picture(self) -> Image.Image:
        return self._image.reduce(_FINER)

    def gradient(self, top: RGB, bottom: RGB) -> None:
        """Fill the whole picture with a gradient from `top` to `bottom`."""
        width, height = self._image.size
        for y in range(0, height, _FINER):
            self._draw.rectangle((0, y, width, y + _FINER), mix(top, bottom, y / height))

    def poly(self, color: RGB, *flat: float) -> None:
        self._draw.polygon(self._pixels(*flat), color)

    def ground(self, color: RGB, x: NDArray[np.float64], top: NDArray[np.float64]) -> None:
        """Fill everything below the line through the points (x, top)."""
        line = np.stack([x, top], axis=1).ravel()
        self.poly(color, *line.tolist(), self.aspect, 1.05, -self.aspect, 1.05)

    def rect(self, color: RGB, x0: float, y0: float, x1: float, y1: float) -> None:
        self._draw.rectangle(self._pixels(x0, y0, x1, y1), color)

    def ellipse(self, color: RGB, x: float, y: float, rx: float, ry: float) -> None:
        self._draw.ellipse(self._pixels(x - rx, y - ry, x + rx, y + ry), color)

    def line(self, color: RGB, x0: float, y0: float, x1: float, y1: float, width: float) -> None:
        self._draw.line(self._pixels(x0, y0, x1, y1), color, max(1, round(width * self._unit)))


def draw_thing(picture: Image.Image, thing: Thing, pose: Pose, *, main: RGB, outline: RGB) -> None:
    """Draw a thing with an outline and smooth edges onto an RGB picture, in place.

    Only the bounding box of the thing is enlarged, painted and averaged.

    Args:
        main: color of the thing's `main` fills; `dark` and `light` are derived from it.
        outline: color of the line around every shape.
    """
    if not pose.visible:
        return
    unit = picture.height / 2
    cos, sin = np.cos(pose.angle), np.sin(pose.angle)
    turn = np.array([[pose.facing * cos, pose.facing * sin], [-sin, cos]])
    middle = (picture.width / 2 + pose.x * unit, unit + pose.y * unit)
    inner = thing.points @ turn * (pose.scale * unit) + middle
    outer = inner + thing.outward @ turn * max(0.9, 0.04 * pose.scale * unit)
    left, top = np.floor(outer.min(axis=0)).astype(int)
    right, bottom = np.ceil(outer.max(axis=0)).astype(int)
    box = (max(left, 0), max(top, 0), min(right, picture.width), min(bottom, picture.height))
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    patch = picture.crop(box)
    fine = patch.resize((patch.width * _FINER, patch.height * _FINER), Image.Resampling.NEAREST)
    brush = ImageDraw.Draw(fine)
    for polygon in np.split((outer - box[:2]) * _FINER, thing.ends[:-1]):
        brush.polygon(polygon.ravel().tolist(), outline)
    fills = np.split((inner - box[:2]) * _FINER, thing.ends[:-1])
    for polygon, shape in zip(fills, thing.shapes, strict=True):
        brush.polygon(polygon.ravel().tolist(), paint(shape.fill, main))
    picture.paste(fine.reduce(_FINER), box[:2])
