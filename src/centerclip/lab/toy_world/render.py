"""Renders the splits of the toy world: video files, and one annotation file per split.

A folder contains `toy_world.json` (the settings it was rendered with), and for each split `<split>.jsonl`
(one line per video: file, captions, contents) and `<split>/` with the videos.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from centerclip.atomic import write_atomically
from centerclip.cores import available_cores
from centerclip.errors import DatasetError
from centerclip.lab.toy_world.encode import write_video
from centerclip.lab.toy_world.grammar import captions, pair_captions
from centerclip.lab.toy_world.sampling import SPLITS, sample_clip
from centerclip.lab.toy_world.scenes import draw_frames

__all__ = ["FPS", "SIZE", "in_processes", "render_toy_world", "settle"]

Job = TypeVar("Job")
Made = TypeVar("Made")

SIZE = (120, 160)
FPS = 8
_SETTINGS = "toy_world.json"
_VERSION = 1
"""Increase it when equal seeds no longer produce equal videos or captions."""


def render_toy_world(
    folder: str | Path, *, train: int = 10_000, val: int = 500, test: int = 500, seed: int = 0,
    workers: int | None = None, directions: bool = False, narrow: bool = False,
    pairs: bool = False, progress: Callable[[int, int], None] | None = None,
) -> Path:  # fmt: skip
    """Render the toy world's splits as short H.264 videos with captions.

    Equal arguments produce equal files with any number of workers. An interrupted run can be resumed, and a
    larger count adds videos to the existing ones.

    Args:
        folder: created if missing.
        train: number of videos, with four captions each, some of them short. 0 omits a split.
        val: number of videos, with two full captions each.
        test: number of videos, with two full captions each.
        seed: determines every video, together with its split and number.
        workers: number of processes; by default one per available core. They are spawned, so scripts must
            call this under `if __name__ == "__main__":`.
        directions: add motions that differ only in the order of frames (see `sampling.sample_scene`).
        narrow: show only such motions, with few things (see there).
        pairs: show things that turn into others, so that captions need two frames of one segment (see there).
        progress: called after every video with the number of finished videos and the total.

    Returns:
        The folder.

    Raises:
        DatasetError: the folder contains a toy world with another seed, kind or version.
        ValueError: both `pairs` and another kind.
    """
    if pairs and (directions or narrow):
        raise ValueError("pairs can't be combined with directions or narrow: choose one kind of world")
    folder = Path(folder)
    kind = {"directions": directions or narrow} | ({"narrow": True} if narrow else {})
    kind |= {"pairs": True} if pairs else {}
    settle(folder, {"version": _VERSION, "seed": seed, **kind})
    counts = {split: count for split, count in zip(SPLITS, (train, val, test), strict=True) if count}
    jobs = [(split, i) for split, count in counts.items() for i in range(count)]
    for split in counts:
        (folder / split).mkdir(exist_ok=True)
    make = partial(_render_clip, folder, seed, {**kind, "narrow": narrow, "pairs": pairs})
    lines = dict.fromkeys(counts, "")
    records = in_processes(make, jobs, workers, progress=progress)
    for (split, _), record in zip(jobs, records, strict=True):
        lines[split] += json.dumps(record) + "\n"
    for split, text in lines.items():
        write_atomically(folder / f"{split}.jsonl", text)
    return folder


def in_processes(
    make: Callable[[Job], Made],
    jobs: Sequence[Job],
    workers: int | None,
    *,
    chunk: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Made]:
    """Yield `make(job)` for all jobs in order, computed in `workers` processes, or here for one worker.

    A process receives up to `chunk` jobs at a time.
    """
    workers = min(workers or available_cores(), len(jobs))
    with ExitStack() as stack:
        results: Iterator[Made] = map(make, jobs)
        if workers > 1:
            # Spawned, because a fork of a process with threads (torch) may hang.
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))
            results = pool.map(make, jobs, chunksize=max(1, min(chunk, len(jobs) // (4 * workers))))
        for done, result in enumerate(results, 1):
            yield result
            if progress:
                progress(done, len(jobs))


def settle(folder: Path, settings: dict[str, Any]) -> None:
    """Create a folder and store its settings, or check that the stored ones are equal.

    Raises:
        DatasetError: the folder has other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = folder / _SETTINGS
    if not stored.exists():
        write_atomically(stored, json.dumps(settings) + "\n")
    found = json.loads(stored.read_text(encoding="utf-8"))
    if found != settings:
        raise DatasetError(
            f"{folder} contains a toy world with other settings ({found} instead of {settings}): use another "
            "folder, or remove this one"
        )


def _render_clip(folder: Path, seed: int, kind: dict[str, bool], job: tuple[str, int]) -> dict[str, Any]:
    """Render one video unless it exists, and return its line of the annotation file."""
    split, index = job
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    scenes = sample_clip(rng, split, **kind)
    train = split == "train"
    count = 4 if train else 2
    texts = pair_captions(scenes, rng, count) if kind["pairs"] else captions(scenes, rng, count, short=train)
    name = f"{split}/{index:06d}.mp4"
    if not (folder / name).exists():
        write_video(folder / name, (draw_frames(scene, FPS, SIZE) for scene in scenes), fps=FPS, size=SIZE)
    actors = [actor for scene in scenes for actor in scene.actors]
    return {
        "id": f"{split}-{index:06d}",
        "video": name,
        "captions": texts,
        # what is shown, for studies of part of a split
        "seconds": sum(scene.seconds for scene in scenes),
        "places": [scene.place for scene in scenes],
        "things": [actor.thing for actor in actors],
        "colors": [actor.color for actor in actors],
        "sizes": [actor.size for actor in actors],
        "motions": [actor.motion for actor in actors],
        "scenes": [asdict(scene) for scene in scenes],
    }
