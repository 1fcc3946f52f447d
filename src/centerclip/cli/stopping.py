"""How long work ends when a person or the system asks it to: after the batch in hand, or at once.

The first Ctrl-C (or SIGTERM) only takes a note; whoever works looks at it between batches. The second
ends the process there and then, which an index survives as it survives a crash.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any, Self

from centerclip.cli.output import note, stderr

__all__ = ["StopRequest"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """While entered, notes the first signal; false until then.

    Args:
        message: what to tell on stderr when it comes.
    """

    def __init__(self, message: str) -> None:
        self._message = message
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
        if self._signal is not None:
            stderr().show_cursor()  # a progress bar hides it
            sys.stderr.flush()
            os._exit(128 + number)  # threads that decode would keep an orderly exit waiting
        self._signal = number
        note(self._message)
