"""Peak resident memory of an operation, measured by Linux in a separate process."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec

__all__ = ["Peak", "process_peak"]

_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class Peak:
    """Resident memory of a process: before the operation, and its peak during it."""

    before_bytes: int
    peak_bytes: int

    @property
    def growth_bytes(self) -> int:
        return self.peak_bytes - self.before_bytes


def process_peak(prepare: Callable[_P, Callable[[], object]], *args: _P.args, **kwargs: _P.kwargs) -> Peak:
    """Measure the peak of resident memory of an operation in a separate process; Linux only.

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
    before = _status("VmRSS")
    work()
    return Peak(before, _status("VmHWM"))


def _status(entry: str) -> int:
    """Read a size from /proc/self/status, in bytes."""
    found = re.search(rf"^{entry}:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.M)
    assert found is not None, f"/proc/self/status has no {entry}"
    return 1024 * int(found[1])
