"""Scenes: full descriptions of what is seen, sampled so that tests ask for combinations never trained on.

The hold-out rule. Things, colors, places and motions have fixed numbers (their positions in `THINGS`,
`COLORS`, `PLACES`, `MOTIONS`). A pair of thing `t` and color, place or motion number `a` belongs to

    test if (t + 3 a) % 7 == 0,    val if (t + 3 a) % 7 == 1,    else to all splits.

A training scene shows no test or val pair. In a test scene at least one thing makes a test pair, and none a
val pair; in a val scene the other way around. So every thing, color, place and motion is trained on, but
for every thing two colors in seven, two places in seven and two motions in seven are not. The timed motions
`sinks` and `shrinks` count as the `rises` and `grows` that they reverse.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from centerclip.datasets.toy_world.canvas import draw_thing
from centerclip.datasets.toy_world.colors import COLORS
from centerclip.datasets.toy_world.motions import MOTIONS, TIMED_MOTIONS, Track, pose_at
from centerclip.datasets.toy_world.places import PLACES, draw_place
from centerclip.datasets.toy_world.things import THINGS

__all__ = ["SPLITS", "Actor", "Scene", "draw", "draw_frames", "pair_split", "sample_clip", "sample_scene"]

SPLITS = ("train", "val", "test")
_SCALES = {
    1: {"small": 0.29, "plain": 0.44, "big": 0.64},
    2: {"small": 0.26, "plain": 0.37, "big": 0.49},
    3: {"small": 0.24, "plain": 0.33},
}
"""Half the width of a thing by the number of things in the scene; half the picture's height is 1."""

_REVERSED = {"sinks": "rises", "shrinks": "grows"}


@dataclass(frozen=True)
class Actor:
    """One thing of a scene: what it is, how it looks, what it does."""

    thing: str
    color: str
    size: str
    track: Track

    @property
    def motion(self) -> str:
        return self.track.motion


@dataclass(frozen=True)
class Scene:
    """Things in a place for some seconds.

    `seed` varies the background. With `directions` the captions say which way things go.
    """

    place: str
    actors: tuple[Actor, ...]
    seconds: float
    seed: int = 0
    directions: bool = False


def pair_split(thing: str, attribute: str) -> str | None:
    """The split that alone shows this thing with this color, place or motion; None if all may."""
    number = _numbers()[_REVERSED.get(attribute, attribute)]
    return {0: "test", 1: "val"}.get((list(THINGS).index(thing) + 3 * number) % 7)


@lru_cache(maxsize=1)
def _numbers() -> dict[str, int]:
    """The number of every color, place and motion; no word is in two of the lists."""
    return {word: i for words in (COLORS, PLACES, MOTIONS) for i, word in enumerate(words)}


def sample_scene(
    rng: np.random.Generator, split: str = "train", *, things: int | None = None, seconds: float = 3.5,
    directions: bool = False,
) -> Scene:  # fmt: skip
    """Draw a random scene that the split may show.

    Args:
        rng: the only source of chance.
        split: `train`, `val` or `test`; see the module docstring for what each may show.
        things: 1 to 3; by chance, mostly one or two, if not given.
        seconds: how long the scene lasts.
        directions: let things also sink and shrink, let captions say which way they go, and let things look
            left or right whichever way they go, so that only time tells.
    """
    count = things or int(rng.choice([1, 2, 3], p=[0.55, 0.35, 0.1]))
    place = _pick(rng, PLACES)
    motions = MOTIONS + TIMED_MOTIONS if directions else MOTIONS
    chosen: list[tuple[str, str, str]] = []
    while len(chosen) < count:
        thing, color, motion = _pick(rng, THINGS), _pick(rng, COLORS), _pick(rng, motions)
        if any(thing == other[0] or color == other[1] for other in chosen):
            continue
        owners = {pair_split(thing, word) for word in (color, place, motion)} - {None}
        if owners <= {split} and (chosen or split == "train" or owners == {split}):
            chosen.append((thing, color, motion))
    actors = [
        _place_actor(rng, *what, slot=slot, count=count, directions=directions)
        for what, slot in zip(chosen, _slots(rng, chosen), strict=True)
    ]
    return Scene(place, tuple(actors), seconds, int(rng.integers(2**31)), directions)


def sample_clip(
    rng: np.random.Generator, split: str = "train", *, directions: bool = False
) -> tuple[Scene, ...]:
    """Draw the scenes of one short video: one, or at times two one after the other."""
    if rng.random() < 0.1:
        return tuple(sample_scene(rng, split, things=1, seconds=2.5, directions=directions) for _ in range(2))
    return (sample_scene(rng, split, directions=directions),)


def draw(scene: Scene, seconds: float, size: tuple[int, int] = (120, 160)) -> Image.Image:
    """Draw what is seen `seconds` into a scene, as an RGB picture of `size` (height, width)."""
    picture = draw_place(scene.place, scene.seed, size)
    _draw_actors(picture, scene, seconds)
    return picture


def draw_frames(scene: Scene, fps: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    """Yield all frames of a scene, each at the middle of its time; the background is drawn once.

    At the middle, so that a motion and its reverse give the same frames in another order.
    """
    background = draw_place(scene.place, scene.seed, size)
    for i in range(round(scene.seconds * fps)):
        picture = background.copy()
        _draw_actors(picture, scene, (i + 0.5) / fps)
        yield picture


def _draw_actors(picture: Image.Image, scene: Scene, seconds: float) -> None:
    outline = PLACES[scene.place].outline
    for actor in sorted(scene.actors, key=lambda actor: -actor.track.scale):
        pose = pose_at(actor.track, seconds, scene.seconds)
        draw_thing(picture, THINGS[actor.thing], pose, main=COLORS[actor.color], outline=outline)


def _pick(rng: np.random.Generator, words: Collection[str]) -> str:
    return tuple(words)[int(rng.integers(len(words)))]


def _slots(rng: np.random.Generator, chosen: list[tuple[str, str, str]]) -> list[tuple[float, float]]:
    """Where the things of a scene have room: middles, in the order of the things.

    What flies takes the upper of two rows; what crosses the picture gets a row of its own.
    """
    if len(chosen) == 1:
        way = THINGS[chosen[0][0]].way
        height = {"fly": -0.15, "slide": 0.0}.get(way, 0.25)
        return [(rng.uniform(-0.2, 0.2), height + rng.uniform(-0.12, 0.12))]
    if len(chosen) == 2:
        if any(motion == "moves" for *_, motion in chosen):
            upper_first = THINGS[chosen[0][0]].way == "fly" or THINGS[chosen[1][0]].way != "fly"
            return [(rng.uniform(-0.3, 0.3), y) for y in ((-0.45, 0.45) if upper_first else (0.45, -0.45))]
        side = rng.choice([-0.48, 0.48])
        return [(side, rng.uniform(-0.2, 0.3)), (-side, rng.uniform(-0.2, 0.3))]
    flip = rng.choice([-1, 1])
    slots = [(-0.5, -0.45 * flip), (0.5, -0.45 * flip), (rng.uniform(-0.2, 0.2), 0.5 * flip)]
    return [slots[i] for i in rng.permutation(3)]


def _place_actor(
    rng: np.random.Generator, thing: str, color: str, motion: str, *, slot: tuple[float, float], count: int,
    directions: bool,
) -> Actor:  # fmt: skip
    scales = _SCALES[count]
    # what changes its size has none to speak of
    size = "plain" if motion in ("grows", "shrinks") else str(rng.choice(list(scales)))
    direction = int(rng.choice([-1, 1]))
    facing = int(rng.choice([-1, 1])) if directions else direction
    track = Track(
        motion, x=round(float(slot[0]), 3), y=round(float(slot[1]), 3),
        scale=round(scales[size] * rng.uniform(0.92, 1.08), 3), direction=direction, facing=facing,
        phase=round(rng.uniform(0, 1), 3), reach=0.5 if count == 1 else 0.28,
    )  # fmt: skip
    return Actor(thing, color, size, track)
