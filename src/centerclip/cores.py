"""How many processor cores may be used. Imports no torch, so that drawing processes and `info` start fast."""

from __future__ import annotations

import os

__all__ = ["available_cores"]


def available_cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
