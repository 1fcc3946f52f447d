"""Scenes: complete descriptions of what is shown, and their pictures at any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from centerclip.lab.toy_world.canvas import draw_thing
from centerclip.lab.toy_world.colors import COLORS
from centerclip.lab.toy_world.motions import Track, pose_at
from centerclip.lab.toy_world.places import PLACES, draw_place
from centerclip.lab.toy_world.things import THINGS

__all__ = ["Actor", "Scene", "draw", "draw_frames"]


@dataclass(frozen=True)
class Actor:
    """A thing in a scene: what it is, how it looks, what it does."""

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

    `seed` varies the background. With `directions`, captions name the directions of motions.
    """

    place: str
    actors: tuple[Actor, ...]
    seconds: float
    seed: int = 0
    directions: bool = False


def draw(scene: Scene, seconds: float, size: tuple[int, int] = (120, 160)) -> Image.Image:
    """Draw a scene at a time, as an RGB picture of `size` (height, width)."""
    picture = draw_place(scene.place, scene.seed, size)
    _draw_actors(picture, scene, seconds)
    return picture


def draw_frames(scene: Scene, fps: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    """Yield all frames of a scene; the background is drawn once.

    Each frame shows the middle of its interval, so that a motion and its reverse have the same frames in
    reverse order.
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
