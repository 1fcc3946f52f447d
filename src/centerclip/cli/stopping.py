"""How long work is ended by a person or the system: between two batches, or at once.

The first Ctrl-C (or SIGTERM) only takes a note; whoever works looks at it between batches. The second
ends the process there and then, which an index survives as it survives a crash.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any, Self

__all__ = ["StopRequest"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDERR = 2
_SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it


class StopRequest:
    """While entered, notes the first signal; false until then.

    Args:
        message: what to tell on stderr when it comes; nothing if empty.
        second_ends: whether a second signal ends the process, or is one of many that mean the same.
    """

    def __init__(self, message: str, *, second_ends: bool = True) -> None:
        self._message = message
        self._second_ends = second_ends
        self._signal: int | None = None
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before = [signal.signal(number, self._note) for number in _SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return self._signal is not None

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as shells have it: 130 for Ctrl-C; 0 if there was none."""
        return 0 if self._signal is None else 128 + self._signal

    def _note(self, number: int, frame: FrameType | None) -> None:
        # Written past Python's streams: the signal may have come while one of them was being written.
        if self._signal is not None and not self._second_ends:
            return
        if self._signal is not None:
            if os.isatty(_STDERR):
                os.write(_STDERR, _SHOW_CURSOR)
            os._exit(128 + number)  # threads that decode would keep an orderly exit waiting
        self._signal = number
        if self._message:
            os.write(_STDERR, f"{self._message}\n".encode())
