"""Keeps the copy of an index in object storage up to date while it is served."""

from __future__ import annotations

import logging
from threading import Event, Thread

from centerclip.errors import CenterCLIPError
from centerclip.index import Mirror

__all__ = ["Follower"]

_LOG = logging.getLogger("centerclip.serve")
_POLL_SECONDS = 2.0
_STOP_SECONDS = 1.0


class Follower(Thread):
    """Looks for a new version again and again, and copies it.

    Args:
        mirror: the copy.
        poll_seconds: the pause between; None for 2 seconds.
    """

    def __init__(self, mirror: Mirror, poll_seconds: float | None = None) -> None:
        super().__init__(name="replica", daemon=True)
        self._mirror = mirror
        self._poll_seconds = poll_seconds or _POLL_SECONDS
        self._stop_request = Event()
        self._failing = ""

    def run(self) -> None:
        while not self._stop_request.is_set():
            try:
                self._mirror.update()
            except Exception as error:  # it must go on, whatever the network or the disk come up with
                self._warn(str(error) if isinstance(error, CenterCLIPError) else repr(error))
            else:
                self._failing = ""
            self._stop_request.wait(self._poll_seconds)

    def close(self) -> None:
        """Stop, and release the copy's folder."""
        self._stop_request.set()
        self._mirror.close()
        if self.is_alive():
            self.join(_STOP_SECONDS)

    @property
    def has_copy(self) -> bool:
        """Whether there is a complete copy, perhaps of an older version."""
        return self._mirror.is_complete

    @property
    def state(self) -> str:
        """What happens while there is no complete copy, without what visitors must not know."""
        if self._failing:
            return "the index can't be copied at the moment: the server's log says why"
        progress = self._mirror.progress
        return f"the index is being copied ({progress.done / max(1, progress.total):.0%})"

    def _warn(self, reason: str) -> None:
        if reason != self._failing and not self._stop_request.is_set():
            _LOG.warning("%s; trying again every %g seconds", reason, self._poll_seconds)
        self._failing = reason
