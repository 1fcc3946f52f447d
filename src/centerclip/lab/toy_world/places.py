"""Places: backgrounds drawn from a seed, and the phrases that name them.

Places are drawn pale and without outlines, so that the things in front of them stand out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from centerclip.lab.toy_world.canvas import Canvas
from centerclip.lab.toy_world.colors import PAINTS, RGB, mix

__all__ = ["PLACES", "Place", "draw_place"]

_SNOW: RGB = (255, 255, 255)


@dataclass(frozen=True)
class Place:
    """A background and the phrases that name it.

    `where` answers "where is it?", `along` answers "where does it go?". `outline` is the color drawn around
    things to set them off from the background.
    """

    name: str
    where: tuple[str, ...]
    along: tuple[str, ...]
    draw: Callable[[Canvas, np.random.Generator], None]
    outline: RGB = PAINTS["ink"]


def draw_place(name: str, seed: int, size: tuple[int, int]) -> Image.Image:
    """Draw a place as an RGB picture of `size` (height, width); equal seeds produce equal pictures."""
    canvas = Canvas(size)
    PLACES[name].draw(canvas, np.random.default_rng(seed))
    return canvas.picture()


def _clouds(canvas: Canvas, rng: np.random.Generator, count: int) -> None:
    puffs = ((0, 0, 0.5, 0.13), (-0.2, -0.08, 0.2, 0.15), (0.08, -0.14, 0.24, 0.2), (0.3, -0.04, 0.16, 0.1))
    for column in rng.permutation(5)[:count]:
        x, y = -1.1 + 0.55 * column + rng.uniform(-0.1, 0.1), rng.uniform(-0.85, -0.55)
        scale = rng.uniform(0.4, 0.75)
        for dx, dy, rx, ry in puffs:
            canvas.ellipse(_SNOW, x + dx * scale, y + dy * scale, rx * scale, ry * scale)


def _hills(canvas: Canvas, rng: np.random.Generator, y: float, height: float, color: RGB) -> None:
    """Fill everything below a sum of two waves around `y`."""
    x = np.linspace(-canvas.aspect, canvas.aspect, 33)
    phase = rng.uniform(0, 6.28, 2)
    top = y + height * (np.sin(1.7 * x + phase[0]) + 0.5 * np.sin(3.1 * x + phase[1]))
    canvas.ground(color, x, top)


def _meadow(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.gradient((150, 208, 248), (222, 242, 252))
    _clouds(canvas, rng, int(rng.integers(1, 4)))
    _hills(canvas, rng, 0.05, 0.1, (168, 214, 128))
    _hills(canvas, rng, 0.35, 0.08, (140, 200, 100))
    petals: tuple[RGB, ...] = ((255, 250, 235), (255, 236, 150), (246, 190, 210))
    for _ in range(26):
        x, y = rng.uniform(-canvas.aspect, canvas.aspect), rng.uniform(0.5, 0.98)
        canvas.line((110, 175, 78), x, y, x + 0.02, y - 0.07, 0.016)
        canvas.ellipse(petals[int(rng.integers(3))], x + 0.02, y - 0.08, 0.026, 0.026)


def _sea(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.gradient((178, 222, 250), (240, 248, 252))
    _clouds(canvas, rng, int(rng.integers(1, 3)))
    for y, color in ((-0.05, (120, 184, 226)), (0.3, (98, 168, 218)), (0.64, (78, 150, 208))):
        x = np.linspace(-canvas.aspect, canvas.aspect, 65)
        wave = np.abs(np.sin((x + rng.uniform(0, 1)) * 7.5))
        canvas.ground(mix(color, _SNOW, 0.55), x, y - 0.065 * wave)
        canvas.ground(color, x, y + 0.02 - 0.065 * wave)


def _night_sky(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.gradient((14, 18, 54), (52, 48, 104))
    for _ in range(70):
        x, y = rng.uniform(-canvas.aspect, canvas.aspect), rng.uniform(-1, 0.8)
        radius = rng.uniform(0.008, 0.02)
        canvas.ellipse(mix((60, 60, 110), (255, 250, 220), rng.uniform(0.4, 1)), x, y, radius, radius)
    _hills(canvas, rng, 0.82, 0.05, (20, 20, 44))


def _city(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.gradient((196, 216, 232), (248, 236, 220))
    for row, (base, color) in enumerate(((0.62, (176, 188, 204)), (0.66, (150, 158, 176)))):
        x = -canvas.aspect - rng.uniform(0, 0.2)
        while x < canvas.aspect:
            width, height = rng.uniform(0.26, 0.44), rng.uniform(0.7, 1.35) - 0.4 * row
            tone = mix(color, (214, 186, 170), rng.uniform(0, 0.6))
            canvas.rect(tone, x, base - height, x + width, base)
            for wx in np.arange(x + 0.05, x + width - 0.07, 0.1):
                for wy in np.arange(base - height + 0.07, base - 0.1, 0.14):
                    lit = rng.random() < 0.6
                    canvas.rect(
                        mix(tone, (255, 244, 200), 0.75 if lit else 0.2), wx, wy, wx + 0.05, wy + 0.07
                    )
            x += width + rng.uniform(0, 0.06)
    canvas.rect((176, 176, 178), -canvas.aspect, 0.58, canvas.aspect, 0.66)
    canvas.rect((112, 114, 122), -canvas.aspect, 0.66, canvas.aspect, 1)
    start = rng.uniform(0, 0.4)
    for x in np.arange(-canvas.aspect - start, canvas.aspect, 0.4):
        canvas.rect((236, 234, 224), x, 0.81, x + 0.2, 0.85)


def _desert(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.gradient((250, 214, 160), (255, 240, 208))
    sun = rng.uniform(-0.9, 0.9)
    canvas.ellipse((255, 246, 214), sun, -0.62, 0.2, 0.2)
    _hills(canvas, rng, 0.1, 0.12, (238, 198, 136))
    _hills(canvas, rng, 0.4, 0.12, (230, 184, 116))
    _hills(canvas, rng, 0.72, 0.07, (220, 170, 100))
    for _ in range(8):
        x, y = rng.uniform(-canvas.aspect, canvas.aspect), rng.uniform(0.6, 0.95)
        canvas.line((200, 150, 84), x, y, x + 0.16, y + 0.015, 0.014)


def _snow(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.gradient((186, 208, 232), (232, 240, 248))
    for x in (-1.1, -0.35, 0.4, 1.15):
        cx, top = x + rng.uniform(-0.15, 0.15), rng.uniform(-0.75, -0.3)
        half = rng.uniform(0.6, 0.85)
        canvas.poly((146, 164, 190), cx - half, 0.4, cx, top, cx + half, 0.4)
        cut = (0.4 - top) * 0.35
        slope = half * 0.35
        canvas.poly(
            (250, 252, 255), cx, top, cx + slope, top + cut, cx + slope * 0.4, top + cut * 0.8, cx,
            top + cut * 1.15,
            cx - slope * 0.45, top + cut * 0.8, cx - slope, top + cut,
        )  # fmt: skip
    _hills(canvas, rng, 0.3, 0.06, (226, 236, 246))
    _hills(canvas, rng, 0.6, 0.06, (242, 247, 252))
    for _ in range(45):
        x, y = rng.uniform(-canvas.aspect, canvas.aspect), rng.uniform(-1, 1)
        canvas.ellipse(_SNOW, x, y, 0.018, 0.018)


def _fir(canvas: Canvas, x: float, foot: float, height: float, color: RGB) -> None:
    canvas.rect((136, 108, 82), x - 0.035, foot - 0.15, x + 0.035, foot)
    for level in range(3):
        half, top = height * (0.19 + 0.06 * level), foot - height + height * 0.22 * level
        canvas.poly(color, x - half, top + height * 0.42, x, top, x + half, top + height * 0.42)


def _forest(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.gradient((196, 222, 206), (226, 238, 214))
    rows: tuple[tuple[float, RGB, int, RGB], ...] = (
        (0.26, (150, 188, 160), 9, (142, 170, 116)),
        (0.5, (108, 158, 122), 7, (124, 150, 96)),
    )
    _hills(canvas, rng, 0, 0.02, (150, 188, 160))
    for foot, color, count, ground in rows:
        for i in range(count):
            x = (2 * (i + 0.5) / count - 1) * canvas.aspect + rng.uniform(-0.12, 0.12)
            _fir(canvas, x, foot + rng.uniform(-0.04, 0.04), rng.uniform(0.95, 1.35), color)
        _hills(canvas, rng, foot - 0.02, 0.02, ground)
    _hills(canvas, rng, 0.75, 0.03, (108, 134, 82))
    for _ in range(16):
        x, y = rng.uniform(-canvas.aspect, canvas.aspect), rng.uniform(0.55, 0.97)
        canvas.line((90, 116, 68), x, y, x - 0.03, y - 0.09, 0.018)
        canvas.line((90, 116, 68), x, y, x + 0.03, y - 0.09, 0.018)


def _room(canvas: Canvas, rng: np.random.Generator) -> None:
    walls: tuple[RGB, ...] = ((240, 224, 208), (216, 228, 222), (226, 220, 238), (246, 236, 200))
    wall = walls[int(rng.integers(4))]
    canvas.gradient(wall, mix(wall, _SNOW, 0.2))
    for x in np.arange(-canvas.aspect, canvas.aspect, 0.24):
        canvas.rect(mix(wall, _SNOW, 0.35), x, -1, x + 0.1, 0.5)
    side = 1 if rng.random() < 0.5 else -1
    x = side * rng.uniform(0.5, 0.75)
    canvas.rect((250, 250, 246), x - 0.36, -0.82, x + 0.36, -0.02)
    for dx in (-0.31, 0.02):
        for y in (-0.77, -0.4):
            canvas.rect((176, 214, 240), x + dx, y, x + dx + 0.29, y + 0.33)
    x = -side * rng.uniform(0.5, 0.75)
    canvas.rect((176, 138, 96), x - 0.3, -0.7, x + 0.3, -0.25)
    canvas.rect((236, 240, 232), x - 0.25, -0.65, x + 0.25, -0.3)
    canvas.poly(
        (150, 182, 160), x - 0.25, -0.3, x - 0.08, -0.52, x + 0.06, -0.38, x + 0.14, -0.46, x + 0.25, -0.3
    )
    canvas.rect((250, 248, 244), -canvas.aspect, 0.42, canvas.aspect, 0.5)
    canvas.rect((196, 156, 112), -canvas.aspect, 0.5, canvas.aspect, 1)
    for y in (0.6, 0.72, 0.86):
        canvas.line((178, 138, 96), -canvas.aspect, y, canvas.aspect, y, 0.012)
    canvas.ellipse((206, 180, 170), rng.uniform(-0.3, 0.3), 0.8, 0.8, 0.13)


PLACES: dict[str, Place] = {
    place.name: place
    for place in (
        Place("meadow", ("in a meadow", "on a green meadow", "on the grass"),
              ("across a meadow", "over a green meadow", "over the grass"), _meadow),
        Place("sea", ("on the sea", "at sea", "on the ocean", "over the water"),
              ("across the sea", "over the ocean", "over the water"), _sea),
        Place("night sky", ("in the night sky", "at night", "under the stars"),
              ("across the night sky", "through the night", "under the stars"), _night_sky,
              outline=(214, 216, 236)),
        Place("city", ("in the city", "in a town", "on a city street"),
              ("through the city", "along a city street", "through town"), _city),
        Place("desert", ("in the desert", "in a sandy desert", "among the sand dunes"),
              ("across the desert", "through a sandy desert", "over the sand dunes"), _desert),
        Place("snow", ("in the snow", "in the snowy mountains", "in front of snowy mountains"),
              ("across the snow", "through the snow", "over the snowy mountains"), _snow),
        Place("forest", ("in the forest", "in the woods", "among the trees"),
              ("through the forest", "through the woods", "past the trees"), _forest),
        Place("room", ("in a room", "indoors", "inside a room"),
              ("across a room", "through a room", "across the room"), _room),
    )
}  # fmt: skip
"""The places by name. The hold-out rule depends on their order."""
