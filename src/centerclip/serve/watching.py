"""Keeps the library up to date while it is served: an index job after each burst of changes."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Event, Thread

from centerclip.errors import CenterCLIPError
from centerclip.indexing import FolderWatch
from centerclip.remote import is_address
from centerclip.serve.jobs import Jobs
from centerclip.serve.library import Library

__all__ = ["LibraryWatch"]

_LOG = logging.getLogger("centerclip.serve")
_RETRY_SECONDS = 10.0
"""How soon to try again while another process writes to the index, or after another failure."""


class LibraryWatch(Thread):
    """Starts a job at once, and then whenever the library's folders have changed.

    A job only adds: files that are gone stay in the index, marked as missing.

    Args:
        jobs: runs the jobs.
        library: knows the folders, which may change meanwhile.
        poll_seconds: see `FolderWatch`.
    """

    def __init__(self, jobs: Jobs, library: Library, *, poll_seconds: float | None = None) -> None:
        super().__init__(name="watch", daemon=True)
        self._jobs = jobs
        self._library = library
        self._poll_seconds = poll_seconds
        self._stop_request = Event()
        self._roots: tuple[Path, ...] = ()

    def ask_to_stop(self) -> None:
        """Start no more jobs; the thread ends once the running one has ended."""
        self._stop_request.set()

    def run(self) -> None:
        while not self._stop_request.is_set():
            try:
                self._follow()
            except (CenterCLIPError, OSError) as error:
                _LOG.warning("watching: %s; trying again in %g seconds", error, _RETRY_SECONDS)
                self._stop_request.wait(_RETRY_SECONDS)

    def _follow(self) -> None:
        """Watch the folders that the library has now, until it has others."""
        roots = self._roots = self._library.newest_roots
        place = self._library.index.location
        local = [root for root in roots if not is_address(root)]
        with FolderWatch(
            local, without=place, poll_seconds=self._poll_seconds, should_stop=self._has_to_end
        ) as folders:
            folders.change()
            while folders.wait():
                if folders.present and not self._jobs.follow(folders.is_growing):
                    folders.change(in_seconds=_RETRY_SECONDS)

    def _has_to_end(self) -> bool:
        return self._stop_request.is_set() or self._library.newest_roots != self._roots
