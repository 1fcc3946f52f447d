"""Returns freed memory to the system, which glibc's allocator doesn't do by itself.

It keeps one heap per thread, and one object still in use at a heap's end holds back all that was freed before
it. The many threads of a server would make its memory grow with each change of its index.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

__all__ = ["return_freed_memory"]


def _find_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, macOS, Windows
        return None
    return trim


_TRIM = _find_trim()


def return_freed_memory() -> None:
    """Return the freed memory of all threads to the system; takes milliseconds.

    Does nothing without glibc.
    """
    if _TRIM is not None:
        _TRIM(0)
