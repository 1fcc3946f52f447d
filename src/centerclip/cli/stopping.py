"""Stops long work on Ctrl-C or SIGTERM.

The first signal is recorded, and the work stops after its current batch. The second ends the process
immediately, which an index survives like a crash.
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
    """Records the first signal while entered; true once it has arrived.

    Args:
        message: printed on stderr when it arrives; nothing if empty.
        second_ends: whether a second signal ends the process; otherwise it is ignored.
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
        """128 plus the number of the signal, as in shells: 130 for Ctrl-C; 0 without a signal."""
        return 0 if self._signal is None else 128 + self._signal

    def _note(self, number: int, frame: FrameType | None) -> None:
        # Bypasses Python's streams: the signal may have arrived during a write to one of them.
        if self._signal is None:
            self._signal = number
            if self._message:
                os.write(_STDERR, f"{self._message}\n".encode())
        elif self._second_ends:
            if os.isatty(_STDERR):
                os.write(_STDERR, _SHOW_CURSOR)
            os._exit(128 + number)  # a regular exit would wait for decoding threads
