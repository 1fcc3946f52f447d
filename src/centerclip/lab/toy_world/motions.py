"""Motions: the pose of a thing at any time of its scene.

Positions are in the picture's unit coordinates (see `canvas`). Motions stay near the central square, the only
part that a model sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

__all__ = ["MOTIONS", "TIMED_MOTIONS", "Pose", "Track", "pose_at"]

MOTIONS = ("moves", "rises", "spins", "bounces", "circles", "grows", "blinks", "stays", "shakes")
"""Motions that can be recognized without the order of frames. The hold-out rule depends on their order."""

TIMED_MOTIONS = ("sinks", "shrinks")
"""The reverse of `rises` and `grows`: the same frames backwards. Only used with `directions`."""


@dataclass(frozen=True)
class Pose:
    """Position and size of a thing in the picture's units, and its angle in radians clockwise."""

    x: float
    y: float
    scale: float
    angle: float = 0.0
    facing: int = 1
    visible: bool = True


@dataclass(frozen=True)
class Track:
    """A motion and its parameters.

    Attributes:
        x, y: center of the motion.
        scale: usual size.
        direction: 1 (to the right, clockwise) or -1.
        facing: 1 if the thing looks to the right, -1 if it is mirrored.
        phase: where in its period a repeating motion starts, 0 to 1.
        reach: amplitude of bouncing and circling.
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
    """Compute the pose of a thing `seconds` into a scene of `duration` seconds.

    Raises:
        ValueError: the motion is unknown.
    """
    x, y, scale, angle, visible = track.x, track.y, track.scale, 0.0, True
    done = seconds / duration  # 0 to 1
    match track.motion:
        case "moves":
            x = track.direction * (1.9 * done - 0.95)
            y += 0.02 * sin(2 * pi * (1.5 * seconds + track.phase))
        case "rises":
            y = 0.85 - 1.7 * done
        case "sinks":
            y = 1.7 * done - 0.85
        case "spins":
            angle = track.direction * 2 * pi * (seconds / 1.7 + track.phase)
        case "bounces":
            y += track.reach * (0.5 - abs(sin(pi * (seconds / 0.85 + track.phase))))
        case "circles":
            turn = track.direction * 2 * pi * (seconds / 2.2 + track.phase)
            x += track.reach * cos(turn)
            y += track.reach * sin(turn)
        case "grows":
            scale *= 0.3 + 1.2 * done
        case "shrinks":
            scale *= 1.5 - 1.2 * done
        case "blinks":
            visible = (seconds / 0.9 + track.phase) % 1 < 0.5
        case "shakes":
            swing = sin(2 * pi * (2.2 * seconds + track.phase))
            angle = 0.35 * swing
            x += 0.1 * scale * swing
        case "stays":
            pass
        case unknown:
            raise ValueError(f"unknown motion {unknown!r}: use one of {', '.join(MOTIONS + TIMED_MOTIONS)}")
    return Pose(x, y, scale, angle, track.facing, visible)
