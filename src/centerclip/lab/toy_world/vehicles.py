"""Things that carry people."""

from __future__ import annotations

from centerclip.lab.toy_world.shapes import Shape, Thing, blob, ellipse, poly, rect, ring, tube

__all__ = ["VEHICLES"]


def _wheel(x: float, y: float, radius: float) -> tuple[Shape, Shape]:
    return ellipse("ink", x, y, radius), ellipse("metal", x, y, radius * 0.48)


# Coordinates read better in rows.
# fmt: off
_CAR = (
    blob("main", -0.6, 0.05, -0.45, -0.4, -0.2, -0.5, 0.2, -0.5, 0.45, -0.35, 0.65, 0.05),
    rect("main", -1, -0.02, 1, 0.45, round=0.2),
    poly("glass", -0.46, 0, -0.34, -0.34, -0.05, -0.36, -0.05, 0),
    poly("glass", 0.06, 0, 0.06, -0.36, 0.3, -0.32, 0.5, 0),
    ellipse("gold", 0.9, 0.14, 0.09, 0.1),
    *_wheel(-0.52, 0.45, 0.25),
    *_wheel(0.52, 0.45, 0.25),
)
_BUS = (
    rect("main", -1, -0.65, 1, 0.5, round=0.14),
    *(rect("glass", x, -0.45, x + 0.32, -0.05, round=0.04) for x in (-0.88, -0.48, -0.08)),
    rect("glass", 0.36, -0.45, 0.92, 0.02, round=0.05),
    rect("light", -1, 0.1, 0.3, 0.22),
    rect("dark", 0.36, 0.06, 0.6, 0.5),
    *_wheel(-0.55, 0.52, 0.23),
    *_wheel(0.62, 0.52, 0.23),
)
_TRUCK = (
    rect("main", -1, -0.7, 0.35, 0.4),
    rect("light", -0.9, -0.6, 0.25, -0.45),
    rect("light", -0.9, 0.12, 0.25, 0.27),
    poly("dark", 0.42, -0.35, 0.78, -0.35, 0.98, 0, 0.98, 0.4, 0.42, 0.4),
    poly("glass", 0.54, -0.24, 0.74, -0.24, 0.88, 0.02, 0.54, 0.02),
    rect("metal", -1, 0.36, 1, 0.48),
    *_wheel(-0.65, 0.5, 0.22),
    *_wheel(-0.15, 0.5, 0.22),
    *_wheel(0.68, 0.5, 0.22),
)
_TRAIN = (
    rect("dark", 0.55, -0.6, 0.8, -0.05),
    rect("dark", 0.48, -0.72, 0.87, -0.55),
    rect("main", -0.25, -0.15, 0.92, 0.4, round=0.12),
    rect("main", -0.95, -0.6, -0.1, 0.4),
    rect("dark", -1, -0.75, -0.02, -0.58),
    rect("glass", -0.72, -0.42, -0.32, -0.05),
    ellipse("gold", 0.2, -0.2, 0.16, 0.14),
    poly("metal", 0.9, 0.2, 1.1, 0.55, 0.8, 0.55),
    *_wheel(-0.58, 0.45, 0.3),
    *_wheel(0.1, 0.53, 0.22),
    *_wheel(0.6, 0.53, 0.22),
)
_TRACTOR = (
    rect("main", -0.05, -0.2, 0.9, 0.32, round=0.08),
    rect("ink", 0.5, -0.65, 0.62, -0.2),
    poly("main", -0.75, 0.3, -0.65, -0.75, 0.05, -0.75, 0.15, 0.3),
    poly("glass", -0.55, -0.1, -0.52, -0.58, -0.06, -0.58, 0.0, -0.1),
    ellipse("gold", 0.82, -0.05, 0.08),
    *_wheel(-0.42, 0.35, 0.5),
    *_wheel(0.65, 0.56, 0.28),
)
_BICYCLE = (
    *ring("ink", 0.06, -0.56, 0.32, 0.4),
    *ring("ink", 0.06, 0.56, 0.32, 0.4),
    tube("main", 0.13, -0.56, 0.32, -0.26, -0.25, 0.38, -0.25, smooth=False),
    tube("main", 0.13, -0.56, 0.32, -0.02, 0.32, 0.38, -0.25, smooth=False),
    tube("main", 0.13, -0.02, 0.32, -0.32, -0.45, smooth=False),
    tube("main", 0.13, 0.56, 0.32, 0.32, -0.55, smooth=False),
    tube("ink", 0.13, 0.32, -0.55, 0.62, -0.58, smooth=False),
    ellipse("ink", -0.34, -0.48, 0.24, 0.09),
    ellipse("metal", -0.02, 0.32, 0.12),
)
_SAILBOAT = (
    rect("wood", -0.06, -0.95, 0.06, 0.4),
    poly("main", 0.1, -0.9, 0.1, 0.25, 0.85, 0.25),
    poly("light", -0.1, -0.7, -0.1, 0.25, -0.7, 0.25),
    poly("wood", -0.95, 0.38, 0.95, 0.38, 0.6, 0.85, -0.6, 0.85),
)
_SHIP = (
    rect("metal", -0.5, -0.3, 0.5, 0.1),
    rect("dark", -0.28, -0.85, -0.04, -0.28),
    rect("dark", 0.14, -0.85, 0.38, -0.28),
    rect("snow", -0.28, -0.72, -0.04, -0.6),
    rect("snow", 0.14, -0.72, 0.38, -0.6),
    *(ellipse("glass", x, -0.1, 0.09) for x in (-0.3, 0, 0.3)),
    poly("main", -0.95, 0.05, 1.0, 0.05, 0.72, 0.7, -0.7, 0.7),
    poly("snow", -0.86, 0.24, 0.92, 0.24, 0.87, 0.36, -0.81, 0.36),
)
_SUBMARINE = (
    tube("dark", 0.12, 0.1, -0.35, 0.1, -0.82, 0.4, -0.82, smooth=False),
    rect("main", -0.25, -0.55, 0.35, 0.05, round=0.12),
    poly("dark", -0.7, 0.15, -1.08, -0.32, -1.08, 0.66),
    ellipse("main", 0, 0.17, 0.92, 0.45),
    *(ellipse("metal", x, 0.14, 0.19) for x in (-0.4, 0.08, 0.54)),
    *(ellipse("glass", x, 0.14, 0.12) for x in (-0.4, 0.08, 0.54)),
)
_PLANE = (
    poly("dark", -0.95, -0.55, -0.7, -0.55, -0.4, 0.0, -0.85, 0.0),
    poly("dark", -0.1, -0.12, 0.15, -0.6, 0.32, -0.6, 0.35, -0.12),
    blob(
        "main",
        -0.95, -0.08, -0.4, -0.2, 0.4, -0.24, 0.82, -0.12,
        1.0, 0.06, 0.75, 0.2, 0.1, 0.24, -0.6, 0.16,
    ),
    poly("glass", 0.58, -0.14, 0.76, -0.1, 0.9, 0.02, 0.6, 0.02),
    *(ellipse("glass", x, -0.03, 0.07) for x in (-0.35, -0.12, 0.11, 0.34)),
    poly("dark", -0.15, 0.1, 0.35, 0.1, -0.2, 0.72, -0.42, 0.72),
)
_HELICOPTER = (
    tube("main", 0.16, -0.2, 0.0, -0.95, -0.18, smooth=False),
    ellipse("metal", -0.92, -0.2, 0.1, 0.28),
    rect("ink", 0.14, -0.55, 0.24, -0.2),
    rect("metal", -0.65, -0.64, 1.0, -0.53, round=0.05),
    ellipse("main", 0.2, 0.1, 0.56, 0.4),
    blob("glass", 0.32, -0.18, 0.6, -0.04, 0.7, 0.16, 0.32, 0.14),
    tube("ink", 0.08, 0.0, 0.42, 0.0, 0.66, smooth=False),
    tube("ink", 0.08, 0.4, 0.42, 0.4, 0.66, smooth=False),
    rect("ink", -0.3, 0.62, 0.75, 0.72, round=0.05),
)
_ROCKET = (
    poly("flame", -0.22, 0.55, 0.22, 0.55, 0.0, 1.05),
    poly("dark", -0.28, 0.1, -0.68, 0.72, -0.22, 0.58),
    poly("dark", 0.28, 0.1, 0.68, 0.72, 0.22, 0.58),
    blob("main", 0, -1.0, 0.3, -0.5, 0.36, 0.1, 0.26, 0.6, 0, 0.64, -0.26, 0.6, -0.36, 0.1, -0.3, -0.5),
    ellipse("metal", 0, -0.2, 0.22),
    ellipse("glass", 0, -0.2, 0.14),
    rect("light", -0.3, 0.3, 0.3, 0.42),
)
_UFO = (
    ellipse("glass", 0, -0.2, 0.45, 0.48),
    ellipse("leaf", 0, -0.22, 0.19, 0.25),
    ellipse("ink", -0.07, -0.28, 0.05, 0.07),
    ellipse("ink", 0.07, -0.28, 0.05, 0.07),
    ellipse("main", 0, 0.12, 1.0, 0.3),
    ellipse("dark", 0, 0.34, 0.5, 0.12),
    *(ellipse("gold", x, 0.12, 0.1) for x in (-0.62, -0.21, 0.21, 0.62)),
)

VEHICLES = (
    Thing(("car", "automobile"), "drive", _CAR),
    Thing(("bus",), "drive", _BUS),
    Thing(("truck", "lorry"), "drive", _TRUCK),
    Thing(("train", "locomotive"), "drive", _TRAIN),
    Thing(("tractor",), "drive", _TRACTOR),
    Thing(("bicycle", "bike"), "drive", _BICYCLE),
    Thing(("sailboat", "sailing boat"), "sail", _SAILBOAT),
    Thing(("ship", "steamer"), "sail", _SHIP),
    Thing(("submarine",), "sail", _SUBMARINE),
    Thing(("plane", "airplane"), "fly", _PLANE),
    Thing(("helicopter",), "fly", _HELICOPTER),
    Thing(("rocket", "spaceship"), "fly", _ROCKET),
    Thing(("ufo", "flying saucer"), "fly", _UFO),
)
