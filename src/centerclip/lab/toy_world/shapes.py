"""Vector shapes: filled polygons in a thing's own coordinates, x to the right and y down, about -1 to 1.

Curves are polygons too, so that moving, rotating and scaling a thing is one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHAPES", "Points", "Shape", "Thing"]

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shape:
    """A polygon.

    `points` is [N, 2]. `fill` is `main` (the thing's named color), `dark` or `light` (its shades), or a fixed
    paint of `colors.PAINTS`.
    """

    points: Points
    fill: str


@dataclass(frozen=True, eq=False)
class Thing:
    """Something a child can name: its shapes from back to front, looking to the right.

    `names` are its nouns; the first is its key. `way` is how it moves, which determines its verbs
    (`grammar.WAYS`) and where in the picture it belongs.
    """

    names: tuple[str, ...]
    way: str
    shapes: tuple[Shape, ...]

    @property
    def name(self) -> str:
        return self.names[0]

    @cached_property
    def points(self) -> Points:
        """The points of all shapes in order, [N, 2]."""
        return np.concatenate([shape.points for shape in self.shapes])

    @cached_property
    def ends(self) -> list[int]:
        """The end of each shape's points in `points`."""
        return [int(end) for end in np.cumsum([len(shape.points) for shape in self.shapes])]

    @cached_property
    def outward(self) -> Points:
        """How each of `points` moves when its shape grows by 1 on all sides, [N, 2]."""
        return np.concatenate([_outward(shape.points) for shape in self.shapes])


def _outward(points: Points) -> Points:
    """The miter of each corner, at most 1.8 long to avoid spikes at sharp tips."""
    to = points - np.roll(points, 1, axis=0)
    to /= np.maximum(np.linalg.norm(to, axis=1, keepdims=True), 1e-9)
    area = np.sum(points[:, 0] * np.roll(points[:, 1], -1) - np.roll(points[:, 0], -1) * points[:, 1])
    normals = np.stack([to[:, 1], -to[:, 0]], axis=1) * np.sign(area)
    both = normals + np.roll(normals, -1, axis=0)
    both /= np.maximum((both**2).sum(axis=1, keepdims=True) / 2, 1e-9)
    lengths = np.linalg.norm(both, axis=1, keepdims=True)
    miters: Points = both * np.minimum(1, 1.8 / np.maximum(lengths, 1e-9))
    return miters


def _points(flat: Sequence[float]) -> Points:
    return np.array(flat, dtype=np.float64).reshape(-1, 2)


def _turn(points: Points, degrees: float, center: tuple[float, float]) -> Points:
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned: Points = (points - center) @ matrix + center
    return turned


def poly(fill: str, *flat: float) -> Shape:
    """A polygon with the corners x0, y0, x1, y1, ..."""
    return Shape(_points(flat), fill)


def ellipse(
    fill: str, x: float, y: float, rx: float, ry: float | None = None,
    start: float = 0, end: float = 360, turn: float = 0,
) -> Shape:  # fmt: skip
    """An ellipse, a circle without `ry`, or the segment cut off by the chord from `start` to `end`.

    Angles are in degrees, clockwise from the right.
    """
    steps = max(8, int(28 * abs(end - start) / 360))
    angles = np.radians(np.linspace(start, end, steps, endpoint=abs(end - start) < 360))
    points = np.stack([x + rx * np.cos(angles), y + (ry or rx) * np.sin(angles)], axis=1)
    return Shape(_turn(points, turn, (x, y)), fill)


def rect(fill: str, x0: float, y0: float, x1: float, y1: float, round: float = 0, turn: float = 0) -> Shape:
    """A rectangle given by two opposite corners; `round` is the radius of its corners, `turn` in degrees."""
    if round:
        quarter = np.radians(np.linspace(0, 90, 5))
        corners = [(x1 - round, y1 - round), (x0 + round, y1 - round),
                   (x0 + round, y0 + round), (x1 - round, y0 + round)]  # fmt: skip
        points = np.concatenate([
            np.stack([cx + round * np.cos(quarter + i * np.pi / 2),
                      cy + round * np.sin(quarter + i * np.pi / 2)], axis=1)
            for i, (cx, cy) in enumerate(corners)
        ])  # fmt: skip
    else:
        points = _points([x0, y0, x1, y0, x1, y1, x0, y1])
    return Shape(_turn(points, turn, ((x0 + x1) / 2, (y0 + y1) / 2)), fill)


def _smooth(points: Points, closed: bool) -> Points:
    """Interpolate a Catmull-Rom curve through the points, in 5 steps between neighbors."""
    n = len(points)
    steps = np.linspace(0, 1, 5, endpoint=False)[:, None]
    curve = []
    for i in range(n if closed else n - 1):
        at = [(i + k) % n if closed else min(max(i + k, 0), n - 1) for k in (-1, 0, 1, 2)]
        a, b, c, d = points[at]
        curve.append(
            b + (c - a) / 2 * steps + (a - 2.5 * b + 2 * c - d / 2) * steps**2
            + (1.5 * (b - c) + (d - a) / 2) * steps**3
        )  # fmt: skip
    if not closed:
        curve.append(points[-1:])
    return np.concatenate(curve)


def blob(fill: str, *flat: float) -> Shape:
    """A smooth closed outline through the points x0, y0, x1, y1, ..."""
    return Shape(_smooth(_points(flat), closed=True), fill)


def tube(fill: str, width: float, *flat: float, smooth: bool = True) -> Shape:
    """A band of a width along the points."""
    path = _points(flat)
    if smooth and len(path) > 2:
        path = _smooth(path, closed=False)
    along = np.gradient(path, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    return Shape(np.concatenate([path + across * width / 2, (path - across * width / 2)[::-1]]), fill)


def arc(
    fill: str, width: float, x: float, y: float, rx: float, ry: float | None = None,
    start: float = 0, end: float = 360,
) -> Shape:  # fmt: skip
    """A band of a width along an ellipse, from `start` to `end` degrees clockwise from the right."""
    angles = np.radians(np.linspace(start, end, max(8, int(28 * abs(end - start) / 360))))
    path = np.stack([x + rx * np.cos(angles), y + (ry or rx) * np.sin(angles)], axis=1)
    return tube(fill, width, *path.ravel(), smooth=False)


def pie(fill: str, x: float, y: float, radius: float, start: float, end: float) -> Shape:
    """A slice from `start` to `end` degrees clockwise from the right."""
    edge = ellipse(fill, x, y, radius, start=start, end=end).points
    return Shape(np.concatenate([[(x, y)], edge]), fill)


def star(fill: str, x: float, y: float, outer: float, inner: float, tips: int = 5) -> Shape:
    """A star with one tip straight up."""
    angles = np.pi * np.arange(2 * tips) / tips - np.pi / 2
    radii = np.where(np.arange(2 * tips) % 2 == 0, outer, inner)
    return Shape(np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], axis=1), fill)


SHAPES = {make.__name__: make for make in (arc, blob, ellipse, pie, poly, rect, star, tube)}
"""The shapes that a row of `things.toml` may name."""
