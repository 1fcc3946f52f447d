"""Timing: competing operations alternate within one run; results are medians with quartiles.

A machine's speed varies with its load and temperature. Operations that alternate (A B A B) share this
variation, so ratios are computed per round, and the result is the median of the rounds' ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from centerclip.lab.bench.processes import children_seconds

__all__ = ["Clock", "Spread", "Timing", "clock_of", "ratio", "take_turns"]

Clock = Callable[[Callable[[], object]], tuple[float, float]]
"""Calls a function once and returns its wall-clock and CPU seconds."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of a quantity over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarize at least one value; quartiles are interpolated."""
        low, median, high = np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75)).tolist()
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one operation, one value per round.

    `wall_seconds` is elapsed time, by a GPU's own clock for work on a GPU. `cpu_seconds` is the CPU time of
    all threads of the process and of its workers, which other processes disturb less.
    """

    wall_seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]

    @property
    def wall(self) -> Spread:
        return Spread.of(self.wall_seconds)

    @property
    def cpu(self) -> Spread:
        return Spread.of(self.cpu_seconds)


def clock_of(device: torch.device) -> Clock:
    """The clock for work on a device: GPU events, or the system's clock."""
    return _gpu_clock if device.type == "cuda" else _system_clock


def take_turns(
    runs: Mapping[str, Callable[[], object]], *, rounds: int, warmup: int = 1, clock: Clock
) -> dict[str, Timing]:
    """Time several operations alternately: each once per round, in their order.

    Args:
        runs: the operations by name.
        rounds: measured rounds, at least 1; quartiles are meaningful from five on.
        warmup: rounds before these, not measured, which fill caches and choose kernels.
        clock: see `clock_of`.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(warmup + rounds):
        for name, run in runs.items():
            taken[name].append(clock(run))
    measured = {name: zip(*seconds[warmup:], strict=True) for name, seconds in taken.items()}
    return {name: Timing(*seconds) for name, seconds in measured.items()}


def ratio(over: Timing, under: Timing, *, cpu: bool = False) -> Spread:
    """How many times as long `over` takes as `under`: median and quartiles of the rounds' ratios.

    Args:
        cpu: compare CPU time instead of wall-clock time.
    """
    above, below = (timing.cpu_seconds if cpu else timing.wall_seconds for timing in (over, under))
    return Spread.of([a / b for a, b in zip(above, below, strict=True)])


def _system_clock(run: Callable[[], object]) -> tuple[float, float]:
    processor = _Processor()
    began = time.perf_counter()
    run()
    return time.perf_counter() - began, processor.seconds()


def _gpu_clock(run: Callable[[], object]) -> tuple[float, float]:
    begin: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    processor = _Processor()
    begin.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1000, processor.seconds()


class _Processor:
    """Measures processor time since it was made; looking for child processes doesn't count."""

    def __init__(self) -> None:
        self._children = children_seconds()
        self._own = time.process_time()

    def seconds(self) -> float:
        own = time.process_time() - self._own
        return own + children_seconds() - self._children
