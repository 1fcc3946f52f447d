"""Processor time and peak memory, including those of the worker processes that decode."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec

__all__ = ["Peak", "children_seconds", "process_peak"]

_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class Peak:
    """Resident memory of a process and its workers: before the operation, and its peak during it.

    `cpu_seconds` is the processor time of the operation, without that of workers.
    """

    before_bytes: int
    peak_bytes: int
    cpu_seconds: float = 0.0

    @property
    def growth_bytes(self) -> int:
        return self.peak_bytes - self.before_bytes


def children_seconds() -> float:
    """Processor time of the child processes that have ended, and on Linux of those that run.

    Only differences mean something. Times are known to a hundredth of a second. Windows doesn't tell any.
    """
    ended = os.times()
    ticks = sum(sum(map(int, stat[11:15])) for _, stat in _children())  # with those of their own children
    running = ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0
    return ended.children_user + ended.children_system + running


def process_peak(prepare: Callable[_P, Callable[[], object]], *args: _P.args, **kwargs: _P.kwargs) -> Peak:
    """Measure the peak of resident memory of an operation in a separate process; Linux only.

    The peaks of child processes that are left at the end, such as idle decoders, are added. So memory that
    they share with the process counts twice.

    Args:
        prepare: a module-level function; called with the arguments, it returns the operation to measure.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, prepare, args, kwargs).result()


def _measure(
    prepare: Callable[..., Callable[[], object]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Peak:
    work = prepare(*args, **kwargs)
    # Not `ru_maxrss`, which a child process inherits from its parent.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before, began = _memory("VmRSS"), time.process_time()
    work()
    return Peak(before, _memory("VmHWM"), time.process_time() - began)


def _memory(entry: str) -> int:
    """Read a size of this process and its children from /proc/*/status, in bytes."""
    return sum(_status(pid, entry) for pid in ["self", *(pid for pid, stat in _children() if stat[0] != "Z")])


def _status(pid: str, entry: str) -> int:
    found = re.search(
        rf"^{entry}:\s+(\d+) kB$", Path("/proc", pid, "status").read_text(encoding="ascii"), re.M
    )
    assert found is not None, f"/proc/{pid}/status has no {entry}"
    return 1024 * int(found[1])


def _children() -> list[tuple[str, list[str]]]:
    """The id of each child process that runs, and its /proc/*/stat from the state on; none but on Linux."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            stat = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(stat[1]) == os.getpid():
                found.append((file.parent.name, stat))
    return found
