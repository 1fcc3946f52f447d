"""Decoding only the frames that a model needs, against decoding every frame of the same files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from centerclip.lab.bench.footage import make_clips, make_film
from centerclip.lab.bench.report import Goal, Row, at_least, speed_row
from centerclip.lab.bench.rivals import decode_everything
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject
from centerclip.lab.bench.timing import Spread, clock_of, take_turns
from centerclip.records import Window
from centerclip.video import VideoReader, cut_windows, instants

__all__ = ["measure_decoding"]

_FRAMES = 12
_WINDOW_SECONDS = 12.0


def measure_decoding(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Time 12 frames of a short and of a long file, and 12 frames of every window of the long one."""
    setting.tell("decode, drawing the films")
    count, repeats = 4, 15
    size, seconds = ((120, 160), 2.0) if setting.quick else ((360, 640), 10.0)
    clips = make_clips(setting.folder / "clips", count, seconds=seconds, size=size)
    film = make_film(setting.folder / "film.mp4", clips, repeats=repeats)
    length = count * seconds * repeats
    whole = [Window(0.0, length)]
    every = cut_windows(length, _WINDOW_SECONDS)
    cases: list[tuple[str, Path, list[Window], Goal]] = [
        (f"{_FRAMES} frames of a clip of {seconds:g} s", clips[0], [Window(0.0, seconds)], at_least(1)),
        (f"{_FRAMES} frames of a film of {length / 60:.3g} min", film, whole, at_least(3)),
        (f"{_FRAMES} frames per {_WINDOW_SECONDS:g} s of the film", film, every, at_least(1)),
    ]
    equal: list[bool] = []
    for what, path, windows, goal in cases:
        setting.tell(f"decode, {what}")
        wanted = np.concatenate([instants(window, _FRAMES) for window in windows])
        ours, rival = _pictures(path, wanted), decode_everything(path, wanted)
        equal += [np.array_equal(a, b) for a, b in zip(ours, rival, strict=True)]
        runs = {
            "here": partial(_pictures, path, wanted),
            "everything": partial(decode_everything, path, wanted),
        }
        timings = take_turns(runs, rounds=setting.rounds, clock=clock_of(torch.device("cpu")))
        yield speed_row(
            "decode",
            f"{what}, {size[1]}x{size[0]}",
            timings["here"],
            against="decoding every frame",
            rival=timings["everything"],
            goal=goal,
        )
    what = f"frames equal to those of decoding every frame, of {len(equal):,}"
    yield Row("decode", what, Spread.of([100 * sum(equal) / len(equal)]), "%", goal=at_least(100))


def _pictures(path: Path, seconds: Sequence[float] | NDArray[np.float64]) -> list[NDArray[np.uint8]]:
    with VideoReader(path) as reader:
        return [picture for _, picture in reader.frames_at(seconds)]
