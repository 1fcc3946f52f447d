"""Measures how long a model takes per window on this machine, encoding as an index run does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional

from centerclip.embedding.device import Cores
from centerclip.embedding.engine import encode_frames, windows_per_batch
from centerclip.model import CenterCLIP
from centerclip.records import WindowCost
from centerclip.schedule import TokenSchedule

__all__ = ["drifting_pictures", "measure_costs"]

_ROUNDS = 5
_SECONDS = 20.0
"""After this long, a schedule gets no further round."""
_SCENE = 12
"""Side of the random pictures in knots; between these they are smooth."""


def measure_costs(
    model: CenterCLIP,
    schedules: Mapping[str, str | TokenSchedule],
    *,
    on_schedule: Callable[[int], None] = lambda done: None,
) -> dict[str, WindowCost]:
    """Time the encoding of windows under several schedules: decoding is not included.

    Windows are encoded in batches, on a CPU several of them side by side, as in `embed`. After a warm-up,
    each schedule runs up to five times, fewer if that takes longer than 20 s.

    Args:
        model: as `prepare` returns it; its own schedule is not used.
        schedules: by name.
        on_schedule: called with the number of schedules that are measured.

    Returns:
        Costs per window, by name.

    Raises:
        ScheduleError: a schedule doesn't fit the model.
    """
    cores = Cores.share(model)
    frames = drifting_pictures(windows_per_batch(model), model.frames, model.image_size)
    made = {name: model.with_(schedule=schedule) for name, schedule in schedules.items()}
    measured: dict[str, WindowCost] = {}
    with ThreadPoolExecutor(cores.encoders, initializer=partial(cores.enter, alone=False)) as pool:
        for name, one in made.items():

            def run(encoded: CenterCLIP = one) -> None:
                for done in [pool.submit(encode_frames, encoded, frames) for _ in range(cores.encoders)]:
                    done.result()

            rounds = _time(run)
            windows = len(frames) * cores.encoders
            seconds, processor_seconds = (median(values) / windows for values in zip(*rounds, strict=True))
            measured[name] = WindowCost(str(one.schedule), seconds, processor_seconds, len(rounds))
            on_schedule(len(measured))
    return measured


def _time(run: Callable[[], None]) -> Sequence[tuple[float, float]]:
    """Wall-clock and processor seconds of each round after one for warming up."""
    run()
    began = time.perf_counter()
    rounds: list[tuple[float, float]] = []
    while not rounds or (len(rounds) < _ROUNDS and time.perf_counter() - began < _SECONDS):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        rounds.append((time.perf_counter() - wall, time.process_time() - processor))
    return rounds


def drifting_pictures(windows: int, frames: int, size: tuple[int, int]) -> Tensor:
    """Make smooth random pictures that drift to the side, because equal frames would be encoded once.

    Args:
        windows: B.
        frames: T.
        size: (height, width) in pixels.

    Returns:
        [B, T, 3, H, W] uint8.
    """
    height, width = size
    step = max(1, width // _SCENE)
    generator = torch.Generator().manual_seed(0)
    knots = torch.rand(windows, 3, _SCENE, _SCENE + frames, generator=generator)
    wide = functional.interpolate(knots, size=(height, width + step * frames), mode="bicubic")
    pixels = wide.clamp(0, 1).mul(255).to(torch.uint8)  # [B, 3, H, W + step * T]
    return torch.stack([pixels[..., step * t : step * t + width] for t in range(frames)], dim=1)
