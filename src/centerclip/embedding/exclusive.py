"""A lock that many threads share until one of them needs to be alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, local

__all__ = ["Exclusive"]


class Exclusive:
    """Any number of threads may be inside, and one of them may ask all others to leave for a while."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0
        self._is_taken = False
        self._here = local()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Be inside, beside others; waits while one is alone."""
        self._enter()
        self._here.is_inside = True
        try:
            yield
        finally:
            self._here.is_inside = False
            self._leave()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one inside; a caller who is inside counts as outside while it waits for the others."""
        was_inside = getattr(self._here, "is_inside", False)
        if was_inside:
            self._leave()
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._is_taken and not self._inside)
                self._is_taken = True
            try:
                yield
            finally:
                with self._changed:
                    self._is_taken = False
                    self._changed.notify_all()
        finally:
            if was_inside:
                self._enter()

    def _enter(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken)
            self._inside += 1

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()
