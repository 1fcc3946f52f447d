"""Ways of moving: the pose of a thing at any instant of its scene.

Positions are in the picture's unit coordinates (`canvas`). All motion stays near the central square, which
is all that a model sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

__all__ = ["MOTIONS", "TIMED_MOTIONS", "Pose", "Track", "pose_at"]

MOTIONS = ("moves", "rises", "spins", "bounces", "circles", "grows", "blinks", "stays", "shakes")
"""Motions that can be told apart without the order of frames. The hold-out rule relies on their order."""

TIMED_MOTIONS = ("sinks", "shrinks")
"""The reverse of `rises` and `grows`: the same frames in reverse order. Only with `directions`."""


@dataclass(frozen=True)
class Pose:
    """Position, size (in the picture's unit) and angle (radians clockwise) of a thing."""

    x: float
    y: float
    scale: float
    angle: float = 0.0
    facing: int = 1
    visible: bool = True


@dataclass(frozen=True)
class Track:
    """A motion and its parameters.

    `x` and `y` are the middle of the motion, `scale` is the usual size. `direction` is 1 (to the right,
    clockwise) or -1. `facing` is 1 if the thing looks to the right, -1 if it is mirrored. `phase` in 0..1 is
    where in its period a repeating motion begins. `reach` is the amplitude of bouncing and circling.
    """

    motion: str
    x: float
    y: float
    scale: float
    direction: int = 1
    facing: int = 1
    phase: float = 0.0
    reach: float = 0.4


def pose_at(track: Track, seconds: float, duration: float) -> Pose:
    """The pose of a thing `seconds` into a scene of `duration` seconds.

    Raises:
        ValueError: the motion is unknown.
    """
    x, y, scale, angle, visible = track.x, track.y, track.scale, 0.0, True
    share = seconds / duration
    match track.motion:
        case "moves":
            x = track.direction * (1.9 * share - 0.95)
            y += 0.02 * sin(2 * pi * (1.5 * seconds + track.phase))
        case "rises":
            y = 0.85 - 1.7 * share
        case "sinks":
            y = 1.7 * share - 0.85
        case "spins":
            angle = track.direction * 2 * pi * (seconds / 1.7 + track.phase)
        case "bounces":
            y += track.reach * (0.5 - abs(sin(pi * (seconds / 0.85 + track.phase))))
        case "circles":
            turn = track.direction * 2 * pi * (seconds / 2.2 + track.phase)
            x += track.reach * cos(turn)
            y += track.reach * sin(turn)
        case "grows":
            scale *= 0.3 + 1.2 * share
        case "shrinks":
            scale *= 1.5 - 1.2 * share
        case "blinks":
            visible = (seconds / 0.9 + track.phase) % 1 < 0.5
        case "shakes":
            swing = sin(2 * pi * (2.2 * seconds + track.phase))
            angle = 0.35 * swing
            x += 0.1 * scale * swing
        case "stays":
            pass
        case unknown:
            raise ValueError(f"motion is {unknown!r}; it must be one of {', '.join(MOTIONS + TIMED_MOTIONS)}")
    return Pose(x, y, scale, angle, track.facing, visible)
