"""Returns freed memory to the system, which allocators don't do by themselves.

They keep heaps for each thread, and glibc holds back what was freed before an object that is still in use.
The many threads of a server would make its memory grow with each change of its index.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pyarrow as pa

__all__ = ["return_freed_memory", "share_one_heap"]


def _find_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, macOS, Windows
        return None
    return trim


_TRIM = _find_trim()


def share_one_heap() -> None:
    """Let Arrow use the C library's heap instead of its own, which keeps what each thread once needed."""
    pa.set_memory_pool(pa.system_memory_pool())


def return_freed_memory() -> None:
    """Return the freed memory of all threads to the system; takes milliseconds.

    Does nothing without glibc.
    """
    if _TRIM is not None:
        _TRIM(0)
