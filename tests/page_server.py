"""A drawn library that the bundled model knows, and a real server, for tests in a browser.

The library: `town/car.mp4`, `garden/apple.mp4`, `harbor/boat.mp4` of one scene each, `night/sky.mp4` with a
white rocket in its first and last nine seconds and a green ufo between them, and `garden/kite.avi`, which
browsers don't play.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from serving import running
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.lab.toy_world.encode import write_video
from centerclip.lab.toy_world.scenes import draw, draw_frames
from centerclip.lab.toy_world.staging import Role, stage
from centerclip.serve import ServerSettings, create_app

ROCKET_QUERY = "a white rocket rises in the night sky"
CAR_QUERY = "a red car drives through the city"
ROCKET = Role("rocket", "white", "rises", "big")
UFO = Role("ufo", "green", "moves", "big")
_FPS, _SIZE = 10, (180, 320)


def draw_library(folder: Path) -> Path:
    """Render the library."""
    for name in ("town", "garden", "harbor", "night"):
        (folder / name).mkdir(parents=True)
    _render(folder / "town" / "car.mp4", ("city", 5, Role("car", "red", "moves", "big")))
    _render(folder / "garden" / "apple.mp4", ("meadow", 4, Role("apple", "green", "grows", "plain")))
    _render(folder / "harbor" / "boat.mp4", ("sea", 4, Role("sailboat", "white", "moves", "big")))
    sky = [("night sky", 9, ROCKET), ("night sky", 9, UFO), ("night sky", 9, ROCKET)]
    _render(folder / "night" / "sky.mp4", *sky)
    rng = np.random.default_rng(5)
    scene = stage(rng, "meadow", [Role("kite", "orange", "rises", "big")], seconds=6)
    frames = [np.asarray(picture) for picture in draw_frames(scene, _FPS, _SIZE)]
    kite = folder / "garden" / "kite.avi"
    make_video(
        kite, codec="mpeg4", frames=len(frames), rate=_FPS, size=_SIZE, draw=lambda number: frames[number]
    )
    return folder


def _render(path: Path, *scenes: tuple[str, float, Role]) -> None:
    rng = np.random.default_rng(0)
    staged = [stage(rng, place, [role], seconds=seconds) for place, seconds, role in scenes]
    write_video(path, (draw_frames(scene, _FPS, _SIZE) for scene in staged), fps=_FPS, size=_SIZE)


def picture_of_a_rocket() -> bytes:
    """A PNG of a rocket that isn't in any video."""
    scene = stage(np.random.default_rng(3), "night sky", [ROCKET], seconds=4)
    file = io.BytesIO()
    draw(scene, 2.0, _SIZE).save(file, "PNG")
    return file.getvalue()


@contextmanager
def serving(index: VideoIndex, encoder: VideoEncoder, **settings: Any) -> Iterator[str]:
    """Serve an index and yield the address; stops at the end."""
    made = ServerSettings(**{"port": 0, **settings})
    with running(create_app(index, encoder, made), made) as address:
        yield address
