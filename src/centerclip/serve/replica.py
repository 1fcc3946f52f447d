"""Keeps the copy of an index in object storage up to date while it is served."""

from __future__ import annotations

import logging
from threading import Event, Thread

from centerclip.errors import CenterCLIPError
from centerclip.index import Mirror

__all__ = ["Follower"]

_LOG = logging.getLogger("centerclip.serve")
_POLL_SECONDS = 2.0
_STOP_SECONDS = 5.0


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
        self.has_copy = Event()
        """Set once there is a complete copy, perhaps of an older version."""

    def run(self) -> None:
        while not self._stop_request.is_set():
            try:
                self._mirror.update()
            except Exception as error:  # it must go on, whatever the network or the disk come up with
                self._warn(str(error) if isinstance(error, CenterCLIPError) else repr(error))
            else:
                self._failing = ""
            if self._mirror.is_complete:
                self.has_copy.set()
            else:
                self.has_copy.clear()
            self._stop_request.wait(self._poll_seconds)

    def close(self) -> None:
        """Stop, and release the copy's folder."""
        self._stop_request.set()
        self._mirror.close()
        if self.is_alive():
            self.join(_STOP_SECONDS)  # a request may wait for a store that doesn't answer

    @property
    def state(self) -> str:
        """What happens while there is no complete copy."""
        if self._failing:
            return f"the index can't be copied: {self._failing}"
        progress = self._mirror.progress
        return f"the index is being copied: {progress.done / 1e9:.2f} of {progress.total / 1e9:.2f} GB"

    def _warn(self, reason: str) -> None:
        if reason != self._failing and not self._stop_request.is_set():
            _LOG.warning("%s; trying again every %g seconds", reason, self._poll_seconds)
        self._failing = reason
