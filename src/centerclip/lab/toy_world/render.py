"""Renders the splits of the toy world: video files, and an annotation file for each split.

A folder holds `toy_world.json` (the settings it was rendered with), and for each split `<split>.jsonl` (one
line per video: file, captions, contents) and `<split>/` with the videos.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from centerclip.errors import DatasetError
from centerclip.lab.toy_world.encode import write_video
from centerclip.lab.toy_world.grammar import captions
from centerclip.lab.toy_world.sampling import SPLITS, sample_clip
from centerclip.lab.toy_world.scenes import Scene, draw_frames

__all__ = ["FPS", "SETTINGS", "SIZE", "in_processes", "render_toy_world", "settle"]

Job = TypeVar("Job")
Made = TypeVar("Made")

SIZE = (120, 160)
FPS = 8
SETTINGS = "toy_world.json"
_VERSION = 1
"""Raise it when equal seeds no longer give equal videos or captions."""


def render_toy_world(
    folder: str | Path, *, train: int = 10_000, val: int = 500, test: int = 500, seed: int = 0,
    workers: int | None = None, directions: bool = False, narrow: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:  # fmt: skip
    """Render the toy world's splits as short H.264 videos with captions.

    Equal arguments give equal files with any number of workers. A stopped run continues where it was, and a
    larger count adds videos to the existing ones.

    Args:
        folder: created if missing.
        train: number of videos, with four captions each, some of them short. 0 leaves a split out.
        val: number of videos, with two full captions each.
        test: number of videos, with two full captions each.
        seed: determines every video, together with its split and number.
        workers: number of processes; by default one per usable core. They are spawned, so call this under
            `if __name__ == "__main__":` in a script.
        directions: add motions that only the order of frames tells apart (see `sampling.sample_scene`).
        narrow: show only such motions, of a few things (see there).
        progress: called after every video with the number of finished videos and of all videos.

    Returns:
        The folder.

    Raises:
        DatasetError: the folder holds a toy world of another seed, kind or version.
    """
    folder = Path(folder)
    kind = {"directions": directions or narrow} | ({"narrow": True} if narrow else {})
    settle(folder, {"version": _VERSION, "seed": seed, **kind})
    counts = {split: count for split, count in zip(SPLITS, (train, val, test), strict=True) if count}
    jobs = [(split, i) for split, count in counts.items() for i in range(count)]
    for split in counts:
        (folder / split).mkdir(exist_ok=True)
    make = partial(_render_clip, folder, seed, directions, narrow)
    lines: dict[str, list[str]] = {split: [] for split in counts}
    for done, ((split, _), record) in enumerate(zip(jobs, in_processes(make, jobs, workers), strict=True), 1):
        lines[split].append(json.dumps(record))
        if progress:
            progress(done, len(jobs))
    for split, texts in lines.items():
        unfinished = folder / f".{split}.jsonl.part"
        unfinished.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        unfinished.replace(folder / f"{split}.jsonl")
    return folder


def in_processes(
    make: Callable[[Job], Made], jobs: Sequence[Job], workers: int | None, *, chunk: int = 16
) -> Iterator[Made]:
    """Yield `make(job)` for all jobs in order, computed by several processes, or in this one if it is alone.

    A process takes up to `chunk` jobs at a time.
    """
    workers = min(workers or _usable_cores(), len(jobs))
    if workers <= 1:
        yield from map(make, jobs)
        return
    # Spawned, because a forked process may hang if there are threads (torch).
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(make, jobs, chunksize=max(1, min(chunk, len(jobs) // (4 * workers))))


def _usable_cores() -> int:
    # Not every system says which cores this process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def settle(folder: Path, settings: dict[str, Any]) -> None:
    """Write down the settings of a folder, or compare them with those written down earlier.

    Raises:
        DatasetError: the folder has other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / SETTINGS
    if not note.exists():
        note.write_text(json.dumps(settings) + "\n", encoding="utf-8")
    found = json.loads(note.read_text(encoding="utf-8"))
    if found != settings:
        raise DatasetError(
            f"{folder} holds a toy world of {found}, which is not {settings}; "
            "give another folder, or remove this one"
        )


def _render_clip(
    folder: Path, seed: int, directions: bool, narrow: bool, job: tuple[str, int]
) -> dict[str, Any]:
    """Render one video unless it exists, and return its line of the annotation file."""
    split, index = job
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    scenes = sample_clip(rng, split, directions=directions, narrow=narrow)
    train = split == "train"
    texts = captions(scenes, rng, 4 if train else 2, short=train)
    name = f"{split}/{index:06d}.mp4"
    if not (folder / name).exists():
        write_video(folder / name, (draw_frames(scene, FPS, SIZE) for scene in scenes), fps=FPS, size=SIZE)
    return {"id": f"{split}-{index:06d}", "video": name, "captions": texts, **describe(scenes)}


def describe(scenes: tuple[Scene, ...]) -> dict[str, Any]:
    """Describe what is shown, for studies of part of a split: one entry per thing, and the exact scenes."""
    actors = [actor for scene in scenes for actor in scene.actors]
    return {
        "seconds": sum(scene.seconds for scene in scenes),
        "places": [scene.place for scene in scenes],
        "things": [actor.thing for actor in actors],
        "colors": [actor.color for actor in actors],
        "sizes": [actor.size for actor in actors],
        "motions": [actor.motion for actor in actors],
        "scenes": [asdict(scene) for scene in scenes],
    }
