"""Peak memory of a separate process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from centerclip.lab.bench.processes import process_peak


def _fill(megabytes: int) -> Callable[[], object]:
    return lambda: np.ones(megabytes * 10**6, np.uint8).sum()


def _fail() -> Callable[[], object]:
    raise ValueError("no work")


def test_only_the_memory_of_the_operation_counts() -> None:
    held = np.ones(10**8, np.uint8)  # memory of this process, which must not count
    peak = process_peak(_fill, 50)
    assert 45e6 < peak.growth_bytes < 75e6
    assert peak.before_bytes + peak.growth_bytes == peak.peak_bytes
    del held


def test_errors_in_the_process_are_raised() -> None:
    with pytest.raises(ValueError, match="no work"):
        process_peak(_fail)
