"""The named colors of things, their shades, and fixed paints for details."""

from __future__ import annotations

__all__ = ["COLORS", "PAINTS", "RGB", "mix", "paint"]

RGB = tuple[int, int, int]

COLORS: dict[str, RGB] = {
    "red": (222, 38, 42),
    "orange": (250, 136, 20),
    "yellow": (252, 217, 38),
    "green": (46, 164, 62),
    "turquoise": (46, 205, 198),
    "blue": (40, 84, 222),
    "purple": (134, 52, 190),
    "pink": (252, 136, 192),
    "brown": (132, 80, 40),
    "black": (40, 40, 46),
    "white": (250, 250, 250),
    "gray": (142, 146, 152),
}
"""The twelve colors that captions name."""

PAINTS: dict[str, RGB] = {
    "ink": (30, 30, 40),
    "snow": (255, 255, 255),
    "glass": (190, 228, 246),
    "metal": (186, 192, 200),
    "wood": (150, 98, 56),
    "leaf": (72, 150, 60),
    "gold": (246, 196, 60),
    "cream": (255, 236, 200),
    "flame": (255, 150, 40),
    "rose": (244, 150, 150),
}
"""Paints for details, independent of the thing's color."""


def mix(a: RGB, b: RGB, weight: float) -> RGB:
    """Interpolate from `a` (weight 0) to `b` (weight 1)."""
    red, green, blue = (round(x + (y - x) * weight) for x, y in zip(a, b, strict=True))
    return red, green, blue


def paint(fill: str, main: RGB) -> RGB:
    """Resolve a shape's fill to a color, on a thing of the color `main`."""
    if fill == "main":
        return main
    if fill == "dark":
        return mix(main, (0, 0, 0), 0.28) if sum(main) > 150 else mix(main, (255, 255, 255), 0.18)
    if fill == "light":
        return mix(main, (255, 255, 255), 0.42) if sum(main) < 720 else mix(main, (150, 160, 180), 0.35)
    return PAINTS[fill]
