"""Writing to an index beside the encoding: results gather into batches, and a thread writes one at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from centerclip.index import Writer
from centerclip.records import EncodedVideo, Failed

__all__ = ["BackgroundWriter"]

_BATCH_WINDOWS = 1000
_BATCH_SECONDS = 15.0
"""The most work that a crash costs. Smaller batches leave the index in more pieces to be joined."""

_Batch = list[EncodedVideo | Failed]


class BackgroundWriter:
    """Collects results, and writes them when there are many or the first has waited long.

    At most one batch is being written and one gathered, so memory is bounded. All methods are for one
    thread. `close` writes the rest.

    Args:
        writer: used by nobody else meanwhile.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="centerclip-write")
        self._gathered: _Batch = []
        self._windows = 0
        self._begun = time.monotonic()
        self._writing: Future[_Batch] | None = None
        self._written: _Batch = []

    def add(self, results: Iterable[EncodedVideo | Failed]) -> None:
        """Take results, and start writing if a batch is due.

        Call it regularly even without results, since a batch may become due by time alone.

        Raises:
            IndexStoreError: an earlier batch could not be written.
        """
        for result in results:
            self._gathered.append(result)
            self._windows += 0 if isinstance(result, Failed) else len(result.windows)
        full = self._windows >= _BATCH_WINDOWS or len(self._gathered) >= _BATCH_WINDOWS
        if self._writing is not None and (full or self._writing.done()):
            self._wait()
        late = time.monotonic() - self._begun >= _BATCH_SECONDS
        if self._gathered and self._writing is None and (full or late):
            self._write()

    def take(self) -> _Batch:
        """Return what was written since the last call, as the index recorded it."""
        written, self._written = self._written, []
        return written

    def close(self) -> None:
        """Write the rest and end the thread.

        Raises:
            IndexStoreError: a batch could not be written.
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
