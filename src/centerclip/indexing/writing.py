"""Write to an index while encoding: collect results into batches, and write one at a time in a thread."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from centerclip.index import Writer
from centerclip.indexing.sharing import Turns
from centerclip.records import EncodedVideo, Failed

__all__ = ["BackgroundWriter"]

_BATCH_WINDOWS = 1000
_BATCH_SECONDS = 15.0
"""Limits the work lost in a crash. Smaller batches would fragment the index."""
_SHARED_SECONDS = 60.0
"""The same among several runs, because each turn begins with checking the index."""

_Batch = list[EncodedVideo | Failed]


class BackgroundWriter:
    """Collects results, and writes them once there are many or the last batch was long ago.

    At most one batch is being written and one collected, so memory is bounded. Call all methods from one
    thread.

    Args:
        writer: nobody else in this process may use it meanwhile.
        shared: whether other runs write to the index as well.
    """

    def __init__(self, writer: Writer | Turns, *, shared: bool = False) -> None:
        self._writer = writer
        self._every_seconds = _SHARED_SECONDS if shared else _BATCH_SECONDS
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="centerclip-write")
        self._gathered: _Batch = []
        self._windows = 0
        self._begun = time.monotonic()
        self._writing: Future[_Batch] | None = None
        self._written: _Batch = []

    def add(self, results: Iterable[EncodedVideo | Failed]) -> None:
        """Add results, and start writing if a batch is due.

        Call it regularly even without results, because a batch may be due by time.

        Raises:
            IndexStoreError: an earlier batch couldn't be written.
        """
        for result in results:
            self._gathered.append(result)
            self._windows += 0 if isinstance(result, Failed) else len(result.windows)
        full = self._windows >= _BATCH_WINDOWS or len(self._gathered) >= _BATCH_WINDOWS
        if self._writing is not None and (full or self._writing.done()):
            self._wait()
        late = time.monotonic() - self._begun >= self._every_seconds
        if self._gathered and self._writing is None and (full or late):
            self._write()

    def take(self) -> _Batch:
        """Return what has been written since the last call, as recorded in the index."""
        written, self._written = self._written, []
        return written

    def close(self) -> None:
        """Write the rest and end the thread.

        Raises:
            IndexStoreError: a batch couldn't be written.
        """
        try:
            self._wait()
            self._write()
            self._wait()
        finally:
            self._pool.shutdown()

    def _write(self) -> None:
        batch, self._gathered = self._gathered, []
        self._windows, self._begun = 0, time.monotonic()
        self._writing = self._pool.submit(self._writer.add, batch)

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            self._written += writing.result()
