"""A small library of toy world videos, like a private collection: named files in folders.

Some videos are one scene of a few seconds, others a sequence of scenes. `library.json` records what happens
when, so that search results can be checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from centerclip.atomic import write_atomically
from centerclip.errors import DatasetError
from centerclip.lab.toy_world.encode import write_video
from centerclip.lab.toy_world.grammar import captions
from centerclip.lab.toy_world.render import in_processes, settle
from centerclip.lab.toy_world.scenes import draw_frames
from centerclip.lab.toy_world.scripts import SCRIPTS
from centerclip.lab.toy_world.staging import stage

__all__ = ["LibraryMoment", "library_moments", "render_library"]

SIZE = (360, 640)
FPS = 10
_LIST = "library.json"
_VERSION = 1


@dataclass(frozen=True)
class LibraryMoment:
    """One scene of a video in the library.

    `video` is the file's path within the library. `caption` is a full sentence about `place` and `things`;
    each thing is a color and a noun.
    """

    video: str
    start_seconds: float
    end_seconds: float
    caption: str
    place: str
    things: tuple[str, ...]


def render_library(
    folder: str | Path,
    *,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render the library: 24 short videos and 6 of about half a minute, 640 x 360, in seven folders.

    Equal seeds produce equal files. Existing videos are kept.

    Args:
        folder: created if missing.
        seed: varies positions, backgrounds and captions, but not what happens.
        workers: number of processes; by default one per available core.
        progress: called after every video with the number of finished videos and the total.

    Returns:
        The folder.

    Raises:
        DatasetError: the folder contains a library with another seed or version.
    """
    folder = Path(folder)
    settle(folder, {"library": _VERSION, "seed": seed})
    for name in SCRIPTS:
        (folder / name).parent.mkdir(exist_ok=True)
    # The long ones first, so that all processes finish at about the same time.
    names = sorted(SCRIPTS, key=lambda name: -len(SCRIPTS[name]))
    moments: list[LibraryMoment] = []
    for found in in_processes(partial(_render, folder, seed), names, workers, chunk=1, progress=progress):
        moments += found
    moments.sort(key=lambda moment: (moment.video, moment.start_seconds))
    write_atomically(folder / _LIST, json.dumps([asdict(moment) for moment in moments], indent=1) + "\n")
    return folder


def library_moments(folder: str | Path) -> list[LibraryMoment]:
    """Read the scenes of a rendered library, sorted by video and time.

    Raises:
        DatasetError: the folder contains no library.
    """
    path = Path(folder) / _LIST
    if not path.exists():
        raise DatasetError(f"file not found: {path}. Render it with render_library({str(folder)!r})")
    entries = json.loads(path.read_text(encoding="utf-8"))
    return [LibraryMoment(**{**entry, "things": tuple(entry["things"])}) for entry in entries]


def _render(folder: Path, seed: int, name: str) -> list[LibraryMoment]:
    """Render one video unless it exists, and return its moments."""
    rng = np.random.default_rng([seed, list(SCRIPTS).index(name)])
    scenes = [stage(rng, place, roles, seconds=seconds) for place, seconds, roles in SCRIPTS[name]]
    moments, start = [], 0.0
    for scene in scenes:
        (caption,) = captions(scene, rng, 1)
        things = tuple(f"{actor.color} {actor.thing}" for actor in scene.actors)
        moments.append(LibraryMoment(name, start, start + scene.seconds, caption, scene.place, things))
        start += scene.seconds
    if not (folder / name).exists():
        write_video(folder / name, (draw_frames(scene, FPS, SIZE) for scene in scenes), fps=FPS, size=SIZE)
    return moments
