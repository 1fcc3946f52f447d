"""Things that are alive and look at you."""

from __future__ import annotations

from centerclip.lab.toy_world.shapes import Shape, Thing, arc, blob, ellipse, poly, rect, sector, tube

__all__ = ["ANIMALS"]


def _eye(x: float, y: float, radius: float = 0.1) -> tuple[Shape, Shape]:
    return ellipse("snow", x, y, radius), ellipse("ink", x + radius * 0.25, y, radius * 0.55)


# Coordinates read better in rows.
# fmt: off
_FISH = (
    poly("dark", -0.45, 0.0, -1.0, -0.48, -0.86, 0.0, -1.0, 0.48),
    blob("dark", -0.2, -0.3, 0.05, -0.72, 0.38, -0.38),
    ellipse("main", 0.15, 0, 0.78, 0.45),
    arc("dark", 0.07, 0.2, 0, 0.28, 0.38, start=-60, end=60),
    poly("dark", 0.05, 0.05, -0.28, 0.32, 0.0, 0.3),
    *_eye(0.65, -0.1, 0.13),
)
_CAT = (
    tube("main", 0.17, -0.55, 0.6, -0.95, 0.35, -0.8, -0.1, -0.92, -0.3),
    ellipse("main", -0.05, 0.5, 0.58, 0.46),
    rect("main", -0.1, 0.55, 0.12, 0.98, round=0.1),
    rect("main", 0.2, 0.55, 0.42, 0.98, round=0.1),
    poly("main", -0.3, -0.3, -0.32, -0.98, 0.12, -0.6),
    poly("main", 0.66, -0.3, 0.68, -0.98, 0.24, -0.6),
    poly("rose", -0.2, -0.55, -0.21, -0.8, -0.02, -0.62),
    poly("rose", 0.56, -0.55, 0.57, -0.8, 0.38, -0.62),
    ellipse("main", 0.18, -0.25, 0.55, 0.46),
    *_eye(-0.04, -0.32, 0.13),
    *_eye(0.4, -0.32, 0.13),
    poly("rose", 0.1, -0.16, 0.26, -0.16, 0.18, -0.06),
    tube("metal", 0.04, 0.32, -0.06, 0.85, -0.14),
    tube("metal", 0.04, 0.32, 0.0, 0.82, 0.08),
    tube("metal", 0.04, 0.04, -0.06, -0.49, -0.14),
    tube("metal", 0.04, 0.04, 0.0, -0.46, 0.08),
)
_DOG = (
    tube("main", 0.16, -0.72, 0.0, -0.92, -0.3, -0.86, -0.5),
    *(rect("dark", x, 0.2, x + 0.2, 0.85, round=0.08) for x in (-0.55, 0.3)),
    rect("main", -0.8, -0.15, 0.6, 0.42, round=0.25),
    *(rect("main", x, 0.2, x + 0.2, 0.85, round=0.08) for x in (-0.78, 0.08)),
    rect("light", 0.45, -0.42, 1.02, -0.05, round=0.15),
    ellipse("main", 0.42, -0.42, 0.38, 0.36),
    ellipse("ink", 0.98, -0.34, 0.11, 0.09),
    blob("dark", 0.28, -0.72, 0.08, -0.65, -0.02, -0.2, 0.14, -0.05, 0.3, -0.3),
    *_eye(0.55, -0.5, 0.1),
    rect("gold", 0.18, -0.12, 0.56, 0.0, round=0.05),
)
_BIRD = (
    poly("dark", -0.45, 0.1, -1.0, -0.12, -0.95, 0.28),
    tube("flame", 0.07, 0.0, 0.5, 0.0, 0.9, 0.16, 0.9, smooth=False),
    tube("flame", 0.07, -0.2, 0.5, -0.2, 0.9, -0.04, 0.9, smooth=False),
    ellipse("main", -0.08, 0.15, 0.58, 0.45),
    ellipse("main", 0.42, -0.32, 0.36),
    poly("flame", 0.72, -0.42, 1.05, -0.28, 0.72, -0.16),
    blob("dark", -0.6, -0.65, -0.25, -0.3, 0.12, 0.05, -0.2, 0.25, -0.5, 0.1),
    ellipse("light", 0.15, 0.3, 0.25, 0.2),
    *_eye(0.5, -0.4, 0.1),
)
_DUCK = (
    blob(
        "main",
        -0.95, -0.15, -0.6, 0.12, 0.0, 0.05, 0.55, 0.1,
        0.6, 0.5, 0.2, 0.78, -0.5, 0.75, -0.85, 0.4,
    ),
    tube("main", 0.34, 0.38, 0.35, 0.36, -0.3, smooth=False),
    ellipse("main", 0.4, -0.48, 0.36, 0.34),
    blob("flame", 0.7, -0.52, 1.05, -0.48, 1.05, -0.3, 0.7, -0.3),
    blob("dark", -0.6, 0.2, 0.15, 0.24, 0.1, 0.52, -0.35, 0.55),
    *_eye(0.48, -0.56, 0.1),
)
_BUTTERFLY = (
    *(
        shape
        for side in (-1, 1)
        for shape in (
            blob("main", side * 0.08, -0.1, side * 0.4, -0.85, side * 0.95, -0.8, side * 0.85, -0.15),
            blob("dark", side * 0.08, 0.05, side * 0.75, 0.1, side * 0.75, 0.7, side * 0.3, 0.7),
            ellipse("light", side * 0.58, -0.5, 0.18),
            ellipse("light", side * 0.5, 0.4, 0.12),
            tube("ink", 0.06, side * 0.03, -0.5, side * 0.12, -0.75, side * 0.28, -0.92),
        )
    ),
    ellipse("ink", 0, 0.08, 0.1, 0.58),
    ellipse("ink", 0, -0.48, 0.13),
)
_SNAIL = (
    tube("cream", 0.08, 0.62, 0.0, 0.55, -0.35, smooth=False),
    tube("cream", 0.08, 0.76, 0.0, 0.88, -0.35, smooth=False),
    ellipse("ink", 0.55, -0.38, 0.09),
    ellipse("ink", 0.88, -0.38, 0.09),
    blob("cream", -1.0, 0.75, -0.3, 0.5, 0.4, 0.45, 0.55, 0.0, 0.85, 0.0, 0.9, 0.4, 0.7, 0.75, 0, 0.8),
    ellipse("main", -0.2, -0.02, 0.62),
    tube(
        "dark", 0.12,
        -0.2, 0.5, 0.24, 0.2, 0.22, -0.28, -0.2, -0.42, -0.52, -0.1,
        -0.4, 0.2, -0.14, 0.2, -0.02, 0.0, -0.2, -0.1,
    ),
)
_TURTLE = (
    ellipse("leaf", 0.82, 0.05, 0.26, 0.24),
    rect("leaf", 0.4, 0.1, 0.8, 0.35, round=0.08),
    *_eye(0.9, -0.02, 0.08),
    poly("leaf", -0.7, 0.3, -1.0, 0.45, -0.65, 0.48),
    rect("leaf", -0.6, 0.3, -0.3, 0.75, round=0.1),
    rect("leaf", 0.2, 0.3, 0.5, 0.75, round=0.1),
    sector("main", -0.08, 0.4, 0.75, 0.95, start=180, end=360),
    poly("dark", -0.08, -0.42, 0.16, -0.22, 0.16, 0.08, -0.08, 0.24, -0.32, 0.08, -0.32, -0.22),
    poly("dark", -0.42, 0.02, -0.6, 0.12, -0.62, 0.34, -0.36, 0.34, -0.26, 0.2),
    poly("dark", 0.26, 0.02, 0.44, 0.12, 0.46, 0.34, 0.2, 0.34, 0.1, 0.2),
    rect("light", -0.88, 0.34, 0.72, 0.46, round=0.06),
)
_ELEPHANT = (
    tube("dark", 0.08, -0.8, -0.05, -0.98, 0.15, -0.95, 0.4),
    *(rect("dark", x, 0.2, x + 0.27, 0.85, round=0.06) for x in (-0.45, 0.1)),
    ellipse("main", -0.25, -0.02, 0.65, 0.5),
    *(rect("main", x, 0.2, x + 0.27, 0.85, round=0.06) for x in (-0.78, -0.18)),
    tube("main", 0.24, 0.62, -0.2, 0.86, 0.15, 0.8, 0.55, 0.98, 0.66),
    ellipse("main", 0.5, -0.25, 0.42, 0.4),
    poly("snow", 0.6, 0.05, 0.72, 0.0, 0.95, 0.28),
    ellipse("dark", 0.2, -0.25, 0.32, 0.42),
    *_eye(0.64, -0.34, 0.08),
)
_RABBIT = (
    ellipse("main", -0.08, -0.7, 0.14, 0.4, turn=-8),
    ellipse("main", 0.3, -0.7, 0.14, 0.4, turn=8),
    ellipse("rose", -0.08, -0.7, 0.06, 0.28, turn=-8),
    ellipse("rose", 0.3, -0.7, 0.06, 0.28, turn=8),
    ellipse("light", -0.55, 0.6, 0.2),
    ellipse("main", -0.02, 0.5, 0.52, 0.48),
    ellipse("light", 0.1, 0.52, 0.26, 0.32),
    ellipse("main", -0.22, 0.9, 0.3, 0.11),
    ellipse("main", 0.38, 0.9, 0.3, 0.11),
    ellipse("main", 0.11, -0.14, 0.44, 0.38),
    *_eye(-0.06, -0.2, 0.1),
    *_eye(0.28, -0.2, 0.1),
    poly("rose", 0.03, -0.06, 0.19, -0.06, 0.11, 0.03),
    rect("snow", 0.04, 0.06, 0.18, 0.2),
)
_WHALE = (
    tube("glass", 0.1, 0.3, -0.35, 0.28, -0.7, 0.05, -0.85, -0.02, -0.62),
    tube("glass", 0.1, 0.3, -0.35, 0.32, -0.7, 0.55, -0.85, 0.62, -0.62),
    poly("main", -0.72, 0.15, -1.05, -0.5, -0.72, -0.38, -0.45, -0.55, -0.5, 0.1),
    blob("main", -0.85, 0.0, -0.4, 0.05, 0.0, -0.38, 0.6, -0.38, 0.98, 0.0, 0.9, 0.5, 0.3, 0.68, -0.4, 0.55),
    blob("light", 0.95, 0.3, 0.85, 0.55, 0.3, 0.67, -0.25, 0.58, 0.3, 0.45),
    poly("dark", 0.1, 0.35, -0.2, 0.72, 0.34, 0.48),
    *_eye(0.66, 0.02, 0.1),
)
_SNAKE = (
    poly("main", -1.05, 0.72, -0.7, 0.2, -0.5, 0.42),
    tube(
        "main", 0.28,
        -0.65, 0.34, -0.3, 0.62, 0.05, 0.6, 0.2, 0.25, -0.1, 0.0,
        -0.35, -0.25, -0.15, -0.6, 0.3, -0.62, 0.6, -0.5,
    ),
    tube(
        "light", 0.09,
        -0.62, 0.36, -0.3, 0.62, 0.05, 0.6, 0.2, 0.25,
        -0.1, 0.0, -0.35, -0.25, -0.15, -0.6, 0.3, -0.62,
    ),
    tube("rose", 0.07, 0.85, -0.36, 1.1, -0.24, smooth=False),
    ellipse("main", 0.62, -0.46, 0.36, 0.26, turn=15),
    *_eye(0.66, -0.56, 0.12),
)
_OCTOPUS = (
    *(
        tube("main", 0.2, x * 0.5, 0.1, x * 0.75, 0.5, x, 0.62 + lift, x * 1.12, 0.88 + lift)
        for x, lift in (
            (-0.85, -0.15), (-0.5, 0.02), (-0.16, 0.06), (0.16, 0.06), (0.5, 0.02), (0.85, -0.15),
        )
    ),
    blob("main", 0, -0.9, 0.5, -0.72, 0.6, -0.2, 0.45, 0.3, 0, 0.4, -0.45, 0.3, -0.6, -0.2, -0.5, -0.72),
    *_eye(-0.2, -0.25, 0.15),
    *_eye(0.2, -0.25, 0.15),
    arc("ink", 0.06, 0, 0.0, 0.18, 0.14, start=20, end=160),
)
_CRAB = (
    *(
        tube(
            "dark", 0.1,
            side * 0.4, 0.3,
            side * (0.72 + k * 0.06), 0.2 + k * 0.2,
            side * (0.86 - k * 0.08), 0.55 + k * 0.16,
        )
        for side in (-1, 1)
        for k in range(3)
    ),
    *(
        shape
        for side in (-1, 1)
        for shape in (
            tube("main", 0.15, side * 0.5, 0.05, side * 0.8, -0.15, side * 0.72, -0.4),
            sector("main", side * 0.72, -0.6, 0.3, start=-60, end=240),
            tube("ink", 0.06, side * 0.18, 0.0, side * 0.2, -0.38, smooth=False),
            *_eye(side * 0.2, -0.42, 0.12),
        )
    ),
    ellipse("main", 0, 0.25, 0.62, 0.42),
    arc("ink", 0.06, 0, 0.25, 0.25, 0.15, start=20, end=160),
)

ANIMALS = (
    Thing(("fish",), "swim", _FISH),
    Thing(("cat", "kitten"), "walk", _CAT),
    Thing(("dog", "puppy"), "walk", _DOG),
    Thing(("bird",), "fly", _BIRD),
    Thing(("duck",), "swim", _DUCK),
    Thing(("butterfly",), "fly", _BUTTERFLY),
    Thing(("snail",), "crawl", _SNAIL),
    Thing(("turtle", "tortoise"), "crawl", _TURTLE),
    Thing(("elephant",), "walk", _ELEPHANT),
    Thing(("rabbit", "bunny"), "walk", _RABBIT),
    Thing(("whale",), "swim", _WHALE),
    Thing(("snake",), "crawl", _SNAKE),
    Thing(("octopus",), "swim", _OCTOPUS),
    Thing(("crab",), "crawl", _CRAB),
)
