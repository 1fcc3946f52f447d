"""Peak memory of a separate process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from centerclip.lab.bench.processes import children_seconds, process_peak


def _fill(megabytes: int) -> Callable[[], object]:
    return lambda: np.ones(megabytes * 10**6, np.uint8).sum()


def _fill_in_worker(megabytes: int) -> Callable[[], object]:
    """Use memory in a child process that stays until this process ends."""
    program = f"held = b'1' * {megabytes * 10**6}; print(1, flush=True); input()"

    def work() -> None:
        child = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        _KEPT.append(child)

    return work


_KEPT: list[subprocess.Popen[bytes]] = []


def _fail() -> Callable[[], object]:
    raise ValueError("no work")


def test_only_the_memory_of_the_operation_counts() -> None:
    held = np.ones(10**8, np.uint8)  # memory of this process, which must not count
    peak = process_peak(_fill, 50)
    assert 45e6 < peak.growth_bytes < 75e6
    assert peak.before_bytes + peak.growth_bytes == peak.peak_bytes
    del held


def test_memory_of_workers_counts() -> None:
    assert 60e6 < process_peak(_fill_in_worker, 60).growth_bytes < 100e6


def test_processor_time_of_workers_counts_while_they_run_and_once_more_after_they_ended() -> None:
    program = """
import time
while time.process_time() < 0.5:
    pass
print(1, flush=True)
input()
"""
    before = children_seconds()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        running = children_seconds() - before
        child.communicate(b"\n")
    ended = children_seconds() - before
    assert running >= 0.45
    assert running - 0.05 <= ended <= running + 0.3


def test_errors_in_the_process_are_raised() -> None:
    with pytest.raises(ValueError, match="no work"):
        process_peak(_fail)
