"""Things that grow, things to eat, and lights of the sky."""

from __future__ import annotations

from centerclip.lab.toy_world.shapes import Thing, arc, blob, ellipse, poly, rect, sector, star, tube

__all__ = ["PLANTS"]

# Coordinates read better in rows.
# fmt: off
_TREE = (
    poly("wood", -0.16, 0.1, 0.16, 0.1, 0.24, 1.0, -0.24, 1.0),
    ellipse("main", -0.42, -0.08, 0.42, 0.4),
    ellipse("main", 0.42, -0.08, 0.42, 0.4),
    ellipse("main", 0, -0.5, 0.52, 0.48),
    ellipse("main", 0, -0.05, 0.45, 0.4),
    ellipse("light", -0.22, -0.62, 0.14, 0.1),
    ellipse("light", 0.4, -0.2, 0.12, 0.09),
    ellipse("dark", -0.45, 0.1, 0.14, 0.09),
    ellipse("dark", 0.12, 0.05, 0.15, 0.09),
)
_FLOWER = (
    tube("leaf", 0.12, 0, 0.1, 0.03, 0.55, 0, 1.0),
    blob("leaf", 0, 0.8, 0.25, 0.5, 0.55, 0.48, 0.35, 0.75),
    blob("leaf", 0, 0.9, -0.25, 0.62, -0.55, 0.6, -0.35, 0.86),
    *(
        ellipse("main", x, y - 0.32, 0.28)
        for x, y in ((0, -0.38), (0.36, -0.12), (0.22, 0.3), (-0.22, 0.3), (-0.36, -0.12))
    ),
    ellipse("gold", 0, -0.32, 0.23),
)
_MUSHROOM = (
    blob("cream", -0.22, 0.0, 0.22, 0.0, 0.26, 0.5, 0.34, 0.88, -0.34, 0.88, -0.26, 0.5),
    sector("main", 0, 0.12, 0.92, 0.95, start=180, end=360),
    ellipse("snow", -0.05, -0.52, 0.18, 0.15),
    ellipse("snow", -0.52, -0.14, 0.15, 0.13),
    ellipse("snow", 0.48, -0.22, 0.17, 0.14),
)
_CACTUS = (
    tube("main", 0.26, -0.2, 0.35, -0.62, 0.3, -0.65, -0.25),
    tube("main", 0.26, 0.2, 0.15, 0.62, 0.1, 0.65, -0.5),
    ellipse("main", -0.65, -0.25, 0.13),
    ellipse("main", 0.65, -0.5, 0.13),
    rect("main", -0.24, -0.9, 0.24, 0.7, round=0.23),
    rect("light", -0.12, -0.65, -0.05, 0.5),
    rect("light", 0.07, -0.65, 0.14, 0.5),
    poly("wood", -0.5, 0.58, 0.5, 0.58, 0.36, 1.0, -0.36, 1.0),
)
_APPLE = (
    tube("wood", 0.12, 0.0, -0.5, 0.04, -0.75, 0.16, -0.95),
    blob("leaf", 0.1, -0.66, 0.35, -0.95, 0.65, -0.85, 0.4, -0.62),
    blob(
        "main",
        0, -0.5, 0.4, -0.62, 0.78, -0.3, 0.72, 0.3, 0.4, 0.85,
        0, 0.78, -0.4, 0.85, -0.72, 0.3, -0.78, -0.3, -0.4, -0.62,
    ),
    ellipse("light", -0.42, -0.15, 0.12, 0.22, turn=20),
)
_BANANA = (
    blob(
        "main",
        0.62, -0.88, 0.82, -0.85, 0.82, -0.2, 0.4, 0.45, -0.2, 0.75,
        -0.85, 0.7, -0.92, 0.52, -0.4, 0.35, 0.15, -0.05, 0.5, -0.5,
    ),
    tube("dark", 0.05, 0.66, -0.5, 0.35, 0.08, -0.15, 0.48, -0.8, 0.6),
    rect("wood", 0.6, -1.0, 0.82, -0.8),
    ellipse("wood", -0.88, 0.61, 0.09, 0.11),
)
_ICE_CREAM = (
    poly("gold", -0.42, 0.05, 0.42, 0.05, 0, 1.05),
    tube("wood", 0.04, -0.25, 0.08, 0.12, 0.7, smooth=False),
    tube("wood", 0.04, 0.25, 0.08, -0.12, 0.7, smooth=False),
    ellipse("main", 0, -0.55, 0.4),
    ellipse("main", -0.28, -0.12, 0.36, 0.34),
    ellipse("main", 0.28, -0.12, 0.36, 0.34),
    ellipse("light", -0.14, -0.68, 0.1, 0.13),
    ellipse("snow", 0, -0.95, 0.12),
)
_CAKE = (
    *(rect("snow", x - 0.05, -0.75, x + 0.05, -0.35) for x in (-0.4, 0, 0.4)),
    *(ellipse("flame", x, -0.85, 0.07, 0.12) for x in (-0.4, 0, 0.4)),
    rect("main", -0.68, -0.38, 0.68, 0.2, round=0.08),
    rect("main", -0.95, 0.15, 0.95, 0.78, round=0.08),
    tube(
        "cream", 0.14,
        -0.68, -0.25, -0.45, -0.12, -0.22, -0.26, 0, -0.12,
        0.22, -0.26, 0.45, -0.12, 0.68, -0.25,
    ),
    tube("cream", 0.14, -0.95, 0.3, -0.6, 0.46, -0.3, 0.3, 0, 0.46, 0.3, 0.3, 0.6, 0.46, 0.95, 0.3),
    rect("metal", -1.05, 0.75, 1.05, 0.86, round=0.05),
)
_STAR = (star("main", 0, 0.05, 1.0, 0.42), star("light", 0, 0.05, 0.5, 0.21))
_HEART = (
    blob(
        "main",
        0, -0.45, 0.42, -0.8, 0.9, -0.5, 0.82, 0.0, 0.45, 0.45, 0.02, 0.9,
        -0.02, 0.9, -0.45, 0.45, -0.82, 0.0, -0.9, -0.5, -0.42, -0.8,
    ),
    ellipse("light", -0.5, -0.4, 0.17, 0.11, turn=-35),
)
_MOON = (
    blob(
        "main",
        0.6, -0.85, 0.3, -0.96, -0.3, -0.9, -0.78, -0.4, -0.78, 0.4, -0.3, 0.9,
        0.3, 0.96, 0.6, 0.85, 0.1, 0.6, -0.15, 0.0, 0.1, -0.6,
    ),
    ellipse("dark", -0.5, -0.32, 0.1),
    ellipse("dark", -0.38, 0.36, 0.14),
)
_SUN = (
    star("main", 0, 0, 1.0, 0.62, tips=12),
    ellipse("light", 0, 0, 0.56),
    ellipse("ink", -0.2, -0.1, 0.07, 0.1),
    ellipse("ink", 0.2, -0.1, 0.07, 0.1),
    arc("ink", 0.07, 0, 0.05, 0.28, 0.22, start=20, end=160),
)

PLANTS = (
    Thing(("tree",), "slide", _TREE),
    Thing(("flower",), "slide", _FLOWER),
    Thing(("mushroom", "toadstool"), "slide", _MUSHROOM),
    Thing(("cactus",), "slide", _CACTUS),
    Thing(("apple",), "roll", _APPLE),
    Thing(("banana",), "slide", _BANANA),
    Thing(("ice cream", "ice cream cone"), "slide", _ICE_CREAM),
    Thing(("cake", "birthday cake"), "slide", _CAKE),
    Thing(("star",), "fly", _STAR),
    Thing(("heart",), "slide", _HEART),
    Thing(("moon", "crescent moon"), "fly", _MOON),
    Thing(("sun",), "fly", _SUN),
)
