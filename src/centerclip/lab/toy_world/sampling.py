"""Random scenes; some combinations are held out of training, so that val and test show something new.

The hold-out rule. Things, colors, places and motions have fixed numbers (their positions in `THINGS`,
`COLORS`, `PLACES`, `MOTIONS`). A pair of thing `t` and color, place or motion number `a` belongs to

    test if (t + 3 a) % 7 == 0,    val if (t + 3 a) % 7 == 1,    all splits otherwise.

A training scene shows no test or val pair. In a test scene the first thing forms at least one test pair,
and no thing forms a val pair; in a val scene it is the other way around. So training shows every thing,
color, place and motion, but omits about two in seven of each thing's pairs. The timed motions `sinks` and
`shrinks` count as `rises` and `grows`, their reverses.

In a narrow world, videos differ mostly in the order of their frames, so a model that ignores the order can't
distinguish the videos of a batch.

In a world of pairs, a video shows four looks (a thing in a color), one in each quarter, and its caption says
which one turns into which: the first into the second, the third into the fourth. Frames alone show the four
looks, but not who belongs together. With two segments, each contains a pair, so attention across the frames
of a segment can see it. Training shows every look; the pair of looks number `a` and `b` belongs to

    test if (a + 3 b) % 7 == 0,    val if (a + 3 b) % 7 == 1,    all splits otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from centerclip.lab.toy_world.colors import COLORS
from centerclip.lab.toy_world.motions import MOTIONS, TIMED_MOTIONS
from centerclip.lab.toy_world.places import PLACES
from centerclip.lab.toy_world.scenes import Scene
from centerclip.lab.toy_world.staging import Role, stage
from centerclip.lab.toy_world.things import THINGS

__all__ = ["SPLITS", "pair_split", "sample_clip", "sample_scene"]

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class _Cast:
    """The vocabulary of scenes."""

    things: Sequence[str]
    colors: Sequence[str]
    places: Sequence[str]
    motions: Sequence[str]


_PLAIN = _Cast(tuple(THINGS), tuple(COLORS), tuple(PLACES), MOTIONS)
_DIRECTIONS = _Cast(tuple(THINGS), tuple(COLORS), tuple(PLACES), MOTIONS + TIMED_MOTIONS)
_NARROW = _Cast(
    tuple(THINGS)[:8], tuple(COLORS)[:4], ("city",), ("moves", "rises", "sinks", "grows", "shrinks")
)
_PAIRED = tuple((thing, color) for thing in ("car", "cat", "ball", "cup") for color in ("red", "blue"))
"""The looks of a world of pairs. Few, so that many batches contain videos that differ only in their pairs."""
_REVERSED = {"sinks": "rises", "shrinks": "grows"}


@cache
def _numbers() -> dict[str, int]:
    """The number of every thing, color, place and motion; no word is in two lists."""
    return {word: i for words in (THINGS, COLORS, PLACES, MOTIONS) for i, word in enumerate(words)}


def pair_split(thing: str, attribute: str) -> str | None:
    """The only split that may show this thing with this color, place or motion; None if all may."""
    numbers = _numbers()
    remainder = (numbers[thing] + 3 * numbers[_REVERSED.get(attribute, attribute)]) % 7
    return {0: "test", 1: "val"}.get(remainder)


def sample_scene(
    rng: np.random.Generator,
    split: str = "train",
    *,
    things: int | None = None,
    seconds: float = 3.5,
    directions: bool = False,
    narrow: bool = False,
) -> Scene:
    """Make a random scene that the split may show.

    Args:
        rng: the only source of randomness.
        split: `train`, `val` or `test`; see the module docstring for what each may show.
        things: 1 to 3; by default random, mostly one or two.
        seconds: length of the scene.
        directions: add sinking and shrinking, let captions name directions, and let things look left or right
            regardless of where they go, so that only the order of frames shows the direction.
        narrow: like `directions`, but with few things and colors, one place, one thing per scene, and only
            motions that have a direction.
    """
    cast = _NARROW if narrow else _DIRECTIONS if directions else _PLAIN
    count = things or (1 if narrow else int(rng.choice([1, 2, 3], p=[0.55, 0.35, 0.1])))
    place = _pick(rng, cast.places)
    roles: list[Role] = []
    while len(roles) < count:
        role = Role(_pick(rng, cast.things), _pick(rng, cast.colors), _pick(rng, cast.motions))
        if any(role.thing == other.thing or role.color == other.color for other in roles):
            continue
        owners = {pair_split(role.thing, word) for word in (role.color, place, role.motion)} - {None}
        if owners <= {split} and (roles or split == "train" or owners):
            roles.append(role)
    return stage(rng, place, roles, seconds=seconds, directions=directions or narrow)


def sample_clip(
    rng: np.random.Generator,
    split: str = "train",
    *,
    directions: bool = False,
    narrow: bool = False,
    pairs: bool = False,
) -> tuple[Scene, ...]:
    """Make the random scenes of one short video: usually one, sometimes two, in a world of pairs four."""
    if pairs:
        return _sample_pairs(rng, split)
    if narrow:
        return (sample_scene(rng, split, narrow=True),)
    if rng.random() < 0.1:
        return tuple(sample_scene(rng, split, things=1, seconds=2.5, directions=directions) for _ in range(2))
    return (sample_scene(rng, split, directions=directions),)


def _sample_pairs(rng: np.random.Generator, split: str) -> tuple[Scene, ...]:
    """Make four scenes of a second in front of one background; see the module docstring."""
    while True:
        looks = rng.choice(len(_PAIRED), size=4, replace=False)
        owners = {(int(a) + 3 * int(b)) % 7 for a, b in looks.reshape(2, 2)}
        names = {{0: "test", 1: "val"}.get(owner) for owner in owners} - {None}
        if names <= {split} and (names or split == "train"):
            break
    shown = [_PAIRED[look] for look in looks.tolist()]
    scenes = [stage(rng, "city", [Role(thing, color, "stays", "big")], seconds=1.0) for thing, color in shown]
    return tuple(replace(scene, seed=scenes[0].seed) for scene in scenes)


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]
