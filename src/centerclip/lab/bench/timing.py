"""How long things take: what is compared takes turns in one run, and is told by medians and quartiles.

A machine's speed changes with its other work and its temperature. Runs that take turns (A B A B) share such
changes, so a ratio is that of a round, and the figure is the median of the rounds' ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

__all__ = ["Clock", "Spread", "Timing", "clock_of", "ratio", "take_turns"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of one quantity over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarize at least one value; quartiles between two values are interpolated."""
        low, median, high = np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75)).tolist()
        return cls(median, low, high)

    def __mul__(self, factor: float) -> Spread:
        """The same in another unit; `factor` is positive."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one thing, a value a round, in the order of the rounds.

    `wall_seconds` is what one waits for, of a GPU's own clock where it computes; `cpu_seconds` what all
    threads of the process took of the processor, which other processes disturb less.
    """

    wall_seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]

    @property
    def wall(self) -> Spread:
        return Spread.of(self.wall_seconds)

    @property
    def cpu(self) -> Spread:
        return Spread.of(self.cpu_seconds)


class Clock(Protocol):
    def __call__(self, run: Callable[[], object], /) -> tuple[float, float]:
        """Do it once, and give the seconds on the wall and on the processor."""


def clock_of(device: torch.device) -> Clock:
    """The clock for work on a device: a GPU's events, or else the system's."""
    return _gpu_clock if device.type == "cuda" else _system_clock


def take_turns(
    runs: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warmup: int = 1,
    clock: Clock,
) -> dict[str, Timing]:
    """Time several things in turns: each once a round, in their order.

    Args:
        runs: what is compared, by name.
        rounds: how often each is timed, at least 1; from five on the quartiles mean something.
        warmup: rounds before, which don't count: they fill caches and choose kernels.
        clock: of the device, see `clock_of`.
    """
    for _ in range(warmup):
        for run in runs.values():
            clock(run)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(clock(run))
    return {
        name: Timing(tuple(wall for wall, _ in of_run), tuple(cpu for _, cpu in of_run))
        for name, of_run in taken.items()
    }


def ratio(over: Timing, under: Timing, *, cpu: bool = False) -> Spread:
    """How many times as long `over` takes as `under`, by the ratios of the rounds.

    Args:
        cpu: by the processor's seconds instead of those on the wall.
    """
    pairs = (
        zip(over.cpu_seconds, under.cpu_seconds, strict=True)
        if cpu
        else zip(over.wall_seconds, under.wall_seconds, strict=True)
    )
    return Spread.of([above / below for above, below in pairs])


def _system_clock(run: Callable[[], object], /) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def _gpu_clock(run: Callable[[], object], /) -> tuple[float, float]:
    begin: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    cpu = time.process_time()
    begin.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1000, time.process_time() - cpu
