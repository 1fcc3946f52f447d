"""Things that people make and keep: toys, tools, furniture, buildings."""

from __future__ import annotations

from centerclip.lab.toy_world.shapes import (
    Thing,
    arc,
    blob,
    ellipse,
    pie,
    poly,
    rect,
    ring,
    sector,
    tube,
)

__all__ = ["BELONGINGS"]

# Coordinates read better in rows.
# fmt: off
_HOUSE = (
    rect("dark", 0.4, -0.85, 0.62, -0.3),
    rect("main", -0.75, -0.15, 0.75, 0.9),
    poly("dark", -1.0, -0.1, 0, -0.95, 1.0, -0.1),
    rect("wood", -0.18, 0.3, 0.18, 0.9),
    rect("glass", -0.6, 0.1, -0.3, 0.42),
    rect("glass", 0.3, 0.1, 0.6, 0.42),
)
_CASTLE = (
    tube("wood", 0.06, 0, -0.45, 0, -1.0, smooth=False),
    poly("dark", 0.03, -1.0, 0.4, -0.88, 0.03, -0.74),
    rect("main", -0.55, -0.1, 0.55, 0.9),
    *(rect("main", x, -0.3, x + 0.2, 0.0) for x in (-0.5, -0.1, 0.3)),
    rect("main", -0.22, -0.5, 0.22, 0.2),
    *(
        shape
        for x in (-0.72, 0.72)
        for shape in (
            rect("main", x - 0.24, -0.4, x + 0.24, 0.9),
            poly("dark", x - 0.32, -0.38, x, -0.95, x + 0.32, -0.38),
            rect("ink", x - 0.07, -0.15, x + 0.07, 0.15, round=0.06),
        )
    ),
    rect("ink", -0.2, 0.35, 0.2, 0.9, round=0.18),
    rect("ink", -0.2, 0.6, 0.2, 0.9),
)
_TENT = (
    poly("main", -1.0, 0.75, 0, -0.8, 1.0, 0.75),
    poly("light", -0.68, 0.75, -0.1, -0.64, 0, -0.8, -0.02, 0.2, -0.36, 0.75),
    poly("ink", 0, -0.35, 0.32, 0.75, -0.32, 0.75),
    poly("dark", 0, -0.8, 0.12, -0.35, 0.38, 0.75, 0.24, 0.75, 0, -0.35),
    tube("wood", 0.07, -0.1, -0.95, 0.02, -0.76, smooth=False),
    tube("wood", 0.07, 0.1, -0.95, -0.02, -0.76, smooth=False),
)
_KEY = (
    *ring("main", 0.22, -0.55, 0, 0.33),
    rect("main", -0.22, -0.11, 0.98, 0.11, round=0.05),
    rect("main", 0.45, 0.05, 0.62, 0.42),
    rect("main", 0.75, 0.05, 0.95, 0.5),
)
_UMBRELLA = (
    tube("wood", 0.09, 0, -0.85, 0, 0.62, 0.08, 0.84, 0.25, 0.84, 0.32, 0.66),
    blob(
        "main",
        -1.0, 0.05, -0.85, -0.4, -0.45, -0.72, 0, -0.82, 0.45, -0.72, 0.85, -0.4,
        1.0, 0.05, 0.66, -0.06, 0.34, 0.06, 0.0, -0.06, -0.34, 0.06, -0.66, -0.06,
    ),
    poly("light", 0, -0.8, -0.34, 0.0, 0, -0.07),
    poly("dark", 0, -0.8, 0.34, 0.0, 0.66, -0.07),
    poly("dark", 0, -0.8, -0.66, -0.07, -0.94, -0.02, -0.8, -0.4, -0.45, -0.7),
)
_CUP = (
    arc("main", 0.16, 0.55, 0.1, 0.35, 0.32, start=-90, end=90),
    tube("metal", 0.08, -0.3, -0.5, -0.2, -0.68, -0.34, -0.82, -0.24, -0.98),
    tube("metal", 0.08, 0.15, -0.5, 0.25, -0.68, 0.11, -0.82, 0.21, -0.98),
    poly("main", -0.72, -0.4, 0.6, -0.4, 0.48, 0.75, -0.6, 0.75),
    ellipse("wood", -0.06, -0.4, 0.64, 0.13),
    rect("light", -0.64, 0.1, 0.53, 0.3),
)
_HAT = (
    ellipse("main", 0, 0.5, 1.0, 0.24),
    poly("main", -0.52, 0.5, -0.6, -0.72, 0.6, -0.72, 0.52, 0.5),
    ellipse("dark", 0, -0.72, 0.6, 0.12),
    poly("gold", -0.53, 0.4, -0.55, 0.12, 0.55, 0.12, 0.53, 0.4),
)
_CLOCK = (
    tube("dark", 0.14, -0.45, 0.6, -0.62, 0.95, smooth=False),
    tube("dark", 0.14, 0.45, 0.6, 0.62, 0.95, smooth=False),
    sector("dark", -0.5, -0.68, 0.3, start=135, end=315),
    sector("dark", 0.5, -0.68, 0.3, start=225, end=405),
    ellipse("main", 0, 0.05, 0.82),
    ellipse("snow", 0, 0.05, 0.6),
    *(
        rect("ink", x - 0.04, y - 0.04, x + 0.04, y + 0.04)
        for x, y in ((0, -0.43), (0.48, 0.05), (0, 0.53), (-0.48, 0.05))
    ),
    tube("ink", 0.09, 0, 0.05, 0, -0.35, smooth=False),
    tube("ink", 0.09, 0, 0.05, 0.3, 0.2, smooth=False),
)
_LAMP = (
    tube("metal", 0.1, 0, 0, 0, 0.85, smooth=False),
    ellipse("metal", 0, 0.88, 0.48, 0.12),
    ellipse("gold", 0, 0.06, 0.2, 0.2),
    poly("main", -0.38, -0.9, 0.38, -0.9, 0.78, 0.1, -0.78, 0.1),
    poly("light", -0.2, -0.9, 0.0, -0.9, 0.0, 0.1, -0.36, 0.1),
)
_GUITAR = (
    poly("wood", -0.14, -0.1, 0.5, -0.9, 0.64, -0.8, 0.1, 0.05),
    rect("ink", 0.45, -1.0, 0.78, -0.72, round=0.05, turn=-52),
    ellipse("main", -0.38, 0.4, 0.55, 0.48, turn=-50),
    ellipse("main", -0.05, -0.02, 0.38, 0.34, turn=-50),
    ellipse("ink", -0.2, 0.16, 0.18),
    tube("snow", 0.04, -0.46, 0.5, 0.52, -0.82, smooth=False),
    rect("wood", -0.7, 0.46, -0.3, 0.57, turn=38),
)
_BOOK = (
    poly("main", -1.0, -0.55, 0, -0.42, 1.0, -0.55, 1.0, 0.62, 0, 0.75, -1.0, 0.62),
    poly("snow", -0.88, -0.62, -0.4, -0.66, 0, -0.48, 0, 0.6, -0.4, 0.44, -0.88, 0.48),
    poly("cream", 0.88, -0.62, 0.4, -0.66, 0, -0.48, 0, 0.6, 0.4, 0.44, 0.88, 0.48),
    *(tube("metal", 0.05, side * 0.72, y, side * 0.2, y + 0.06, smooth=False)
      for side in (-1, 1) for y in (-0.38, -0.14, 0.1)),
)
_CHAIR = (
    rect("main", -0.6, -0.95, -0.42, 0.95),
    rect("main", -0.6, -0.95, -0.1, -0.78, round=0.06),
    poly("main", -0.6, -0.85, -0.1, -0.85, -0.1, -0.4, -0.6, -0.3),
    rect("dark", -0.2, 0.15, -0.05, 0.8),
    rect("main", -0.62, 0.02, 0.62, 0.22, round=0.06),
    rect("main", 0.42, 0.1, 0.6, 0.95),
    rect("light", -0.4, -0.08, 0.58, 0.06, round=0.06),
)
_BALL = (
    ellipse("main", 0, 0, 0.9),
    *(pie("snow", -0.1, -0.1, 0.78, start, start + 42) for start in (-40, 50, 140, 230)),
    ellipse("main", -0.1, -0.1, 0.18),
)
_BALLOON = (
    tube("metal", 0.06, 0, 0.45, 0.12, 0.62, -0.08, 0.8, 0.05, 1.05),
    poly("dark", 0, 0.3, 0.14, 0.52, -0.14, 0.52),
    blob(
        "main",
        0, -1.0, 0.5, -0.82, 0.66, -0.35, 0.42, 0.15,
        0, 0.42, -0.42, 0.15, -0.66, -0.35, -0.5, -0.82,
    ),
    ellipse("light", -0.28, -0.56, 0.12, 0.22, turn=25),
)
_KITE = (
    tube("metal", 0.05, -0.2, 0.4, -0.4, 0.6, -0.25, 0.78, -0.5, 1.0),
    poly("flame", -0.56, 0.55, -0.22, 0.68, -0.36, 0.78, -0.4, 0.5),
    poly("flame", -0.42, 0.78, -0.1, 0.86, -0.2, 0.98, -0.26, 0.7),
    poly("main", 0.2, -1.0, 0.8, -0.3, -0.2, 0.5, -0.5, -0.5),
    poly("light", 0.2, -1.0, 0.12, -0.38, -0.5, -0.5),
    poly("light", 0.12, -0.38, 0.8, -0.3, -0.2, 0.5),
)
_ROBOT = (
    tube("metal", 0.07, 0, -0.7, 0, -0.95, smooth=False),
    ellipse("gold", 0, -0.95, 0.1),
    rect("dark", -0.88, 0.02, -0.56, 0.16, round=0.06),
    rect("dark", 0.56, 0.02, 0.88, 0.16, round=0.06),
    rect("metal", -0.92, 0.0, -0.74, 0.45, round=0.06),
    rect("metal", 0.74, 0.0, 0.92, 0.45, round=0.06),
    rect("metal", -0.4, 0.55, -0.14, 0.98),
    rect("metal", 0.14, 0.55, 0.4, 0.98),
    rect("main", -0.6, -0.05, 0.6, 0.66, round=0.08),
    rect("main", -0.46, -0.74, 0.46, -0.1, round=0.1),
    ellipse("gold", -0.2, -0.48, 0.13),
    ellipse("gold", 0.2, -0.48, 0.13),
    ellipse("ink", -0.2, -0.48, 0.06),
    ellipse("ink", 0.2, -0.48, 0.06),
    rect("ink", -0.24, -0.28, 0.24, -0.18),
    rect("light", -0.36, 0.1, 0.36, 0.46),
    ellipse("flame", -0.14, 0.28, 0.09),
    ellipse("leaf", 0.14, 0.28, 0.09),
)
_GHOST = (
    blob(
        "main",
        0, -0.95, 0.5, -0.75, 0.66, -0.25, 0.7, 0.4, 0.78, 0.85, 0.5, 0.66, 0.26, 0.92,
        0, 0.68, -0.26, 0.92, -0.5, 0.66, -0.78, 0.85, -0.7, 0.4, -0.66, -0.25, -0.5, -0.75,
    ),
    ellipse("snow", -0.24, -0.38, 0.19, 0.24),
    ellipse("snow", 0.24, -0.38, 0.19, 0.24),
    ellipse("ink", -0.2, -0.34, 0.11, 0.15),
    ellipse("ink", 0.28, -0.34, 0.11, 0.15),
    ellipse("ink", 0.02, 0.12, 0.14, 0.19),
)
_BELL = (
    *ring("metal", 0.08, 0, -0.84, 0.14),
    ellipse("ink", 0, 0.72, 0.18),
    blob(
        "main",
        0, -0.78, 0.4, -0.55, 0.5, 0.0, 0.62, 0.4, 0.9, 0.62,
        0, 0.7, -0.9, 0.62, -0.62, 0.4, -0.5, 0.0, -0.4, -0.55,
    ),
    tube("dark", 0.1, -0.64, 0.36, 0, 0.44, 0.64, 0.36),
    ellipse("light", -0.24, -0.2, 0.08, 0.26, turn=8),
)
_GIFT = (
    blob("snow", 0, -0.42, -0.5, -0.95, -0.62, -0.5),
    blob("snow", 0, -0.42, 0.5, -0.95, 0.62, -0.5),
    rect("main", -0.72, -0.1, 0.72, 0.9),
    rect("dark", -0.85, -0.42, 0.85, 0.0),
    rect("snow", -0.14, -0.42, 0.14, 0.9),
)
_SHOE = (
    blob(
        "main",
        -0.85, -0.65, -0.3, -0.68, -0.05, -0.25, 0.45, 0.02,
        0.95, 0.2, 0.98, 0.5, -0.88, 0.5, -0.95, 0.0,
    ),
    rect("snow", -0.98, 0.42, 1.02, 0.62, round=0.08),
    ellipse("dark", -0.58, -0.66, 0.3, 0.1),
    *(
        tube("snow", 0.07, x, y, x + 0.2, y - 0.22, smooth=False)
        for x, y in ((-0.24, -0.2), (-0.02, -0.04), (0.22, 0.06))
    ),
    blob("light", 0.55, 0.4, 0.6, 0.16, 0.95, 0.24, 0.98, 0.42),
)
_DRUM = (
    rect("main", -0.75, -0.25, 0.75, 0.62),
    ellipse("main", 0, 0.62, 0.75, 0.2),
    tube(
        "gold", 0.07,
        -0.75, -0.1, -0.5, 0.66, -0.25, 0.0, 0.0, 0.75,
        0.25, 0.0, 0.5, 0.66, 0.75, -0.1, smooth=False,
    ),
    ellipse("snow", 0, -0.25, 0.75, 0.24),
    tube("wood", 0.09, -0.9, -0.9, -0.15, -0.3, smooth=False),
    tube("wood", 0.09, 0.9, -0.9, 0.15, -0.3, smooth=False),
    ellipse("wood", -0.15, -0.3, 0.1),
    ellipse("wood", 0.15, -0.3, 0.1),
)
_TEDDY = (
    ellipse("main", -0.38, -0.78, 0.22),
    ellipse("main", 0.38, -0.78, 0.22),
    ellipse("light", -0.38, -0.78, 0.11),
    ellipse("light", 0.38, -0.78, 0.11),
    ellipse("main", -0.58, 0.15, 0.32, 0.17, turn=-35),
    ellipse("main", 0.58, 0.15, 0.32, 0.17, turn=35),
    ellipse("main", 0, 0.38, 0.5, 0.5),
    ellipse("light", 0, 0.4, 0.3, 0.32),
    ellipse("main", -0.4, 0.82, 0.27, 0.2),
    ellipse("main", 0.4, 0.82, 0.27, 0.2),
    ellipse("main", 0, -0.42, 0.48, 0.44),
    ellipse("light", 0, -0.28, 0.24, 0.19),
    ellipse("ink", -0.18, -0.52, 0.07),
    ellipse("ink", 0.18, -0.52, 0.07),
    ellipse("ink", 0, -0.34, 0.1, 0.07),
)

BELONGINGS = (
    Thing(("house", "cottage"), "slide", _HOUSE),
    Thing(("castle",), "slide", _CASTLE),
    Thing(("tent",), "slide", _TENT),
    Thing(("key",), "slide", _KEY),
    Thing(("umbrella",), "slide", _UMBRELLA),
    Thing(("cup", "mug"), "slide", _CUP),
    Thing(("hat", "top hat"), "slide", _HAT),
    Thing(("clock", "alarm clock"), "slide", _CLOCK),
    Thing(("lamp",), "slide", _LAMP),
    Thing(("guitar",), "slide", _GUITAR),
    Thing(("book", "open book"), "slide", _BOOK),
    Thing(("chair",), "slide", _CHAIR),
    Thing(("ball", "beach ball"), "roll", _BALL),
    Thing(("balloon",), "fly", _BALLOON),
    Thing(("kite",), "fly", _KITE),
    Thing(("robot",), "walk", _ROBOT),
    Thing(("ghost",), "fly", _GHOST),
    Thing(("bell",), "slide", _BELL),
    Thing(("gift", "present"), "slide", _GIFT),
    Thing(("shoe", "sneaker"), "slide", _SHOE),
    Thing(("drum",), "roll", _DRUM),
    Thing(("teddy bear", "teddy"), "walk", _TEDDY),
)
