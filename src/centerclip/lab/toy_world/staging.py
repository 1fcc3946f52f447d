"""Arranges the things of a scene: position, size and direction of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from centerclip.lab.toy_world.motions import Track
from centerclip.lab.toy_world.scenes import Actor, Scene
from centerclip.lab.toy_world.things import THINGS

__all__ = ["Role", "stage"]

_SCALES = {
    1: {"small": 0.29, "plain": 0.44, "big": 0.64},
    2: {"small": 0.26, "plain": 0.37, "big": 0.49},
    3: {"small": 0.24, "plain": 0.33},
}
"""Half the width of a thing by the number of things in the scene; half the picture's height is 1."""


class Role(NamedTuple):
    """What a thing looks like and does; `size` is random if None."""

    thing: str
    color: str
    motion: str
    size: str | None = None


def stage(
    rng: np.random.Generator, place: str, roles: Sequence[Role], *, seconds: float, directions: bool = False
) -> Scene:
    """Make a scene of one to three things with random positions, sizes and background."""
    slots = _slots(rng, roles)
    actors = [
        _actor(rng, role, slot=slot, count=len(roles), directions=directions)
        for role, slot in zip(roles, slots, strict=True)
    ]
    return Scene(place, tuple(actors), seconds, int(rng.integers(2**31)), directions)


def _slots(rng: np.random.Generator, roles: Sequence[Role]) -> list[tuple[float, float]]:
    """The center of each thing.

    With two rows, flying things are in the upper one. A thing that crosses the picture has its own row.
    """
    flies = [THINGS[role.thing].way == "fly" for role in roles]
    if len(roles) == 1:
        height = {"fly": -0.15, "slide": 0.0}.get(THINGS[roles[0].thing].way, 0.25)
        return [(rng.uniform(-0.2, 0.2), height + rng.uniform(-0.12, 0.12))]
    if len(roles) == 2:
        if any(role.motion == "moves" for role in roles):
            rows = (-0.45, 0.45) if flies[0] or not flies[1] else (0.45, -0.45)
            return [(rng.uniform(-0.3, 0.3), y) for y in rows]
        side = float(rng.choice([-0.48, 0.48]))
        return [(side, rng.uniform(-0.2, 0.3)), (-side, rng.uniform(-0.2, 0.3))]
    flip = int(rng.choice([-1, 1]))
    slots = [(-0.5, -0.45 * flip), (0.5, -0.45 * flip), (rng.uniform(-0.2, 0.2), 0.5 * flip)]
    return [slots[i] for i in rng.permutation(3)]


def _actor(
    rng: np.random.Generator, role: Role, *, slot: tuple[float, float], count: int, directions: bool
) -> Actor:
    scales = _SCALES[count]
    # Captions don't name the size of a thing whose size changes.
    fixed = "plain" if role.motion in ("grows", "shrinks") else role.size
    size = fixed or str(rng.choice(list(scales)))
    direction = int(rng.choice([-1, 1]))
    track = Track(
        role.motion,
        x=round(float(slot[0]), 3),
        y=round(float(slot[1]), 3),
        direction=direction,
        facing=int(rng.choice([-1, 1])) if directions else direction,
        scale=round(scales[size] * rng.uniform(0.92, 1.08), 3),
        phase=round(rng.uniform(0, 1), 3),
        reach=0.5 if count == 1 else 0.28,
    )
    return Actor(role.thing, role.color, size, track)
