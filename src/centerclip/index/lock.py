"""One writer at a time: an operating-system lock, with a note about its holder.

The kernel releases the lock when its holder dies, so a crash never blocks the next run. For an index in
object storage the lock is in this machine's temporary folder, so it excludes only writers on the same
machine: don't write from several machines at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from centerclip.atomic import make_folder, write_atomically
from centerclip.errors import IndexLockedError, IndexStoreError

__all__ = ["writer_lock"]

_LOCK, _NOTE = ".writer.lock", ".writer.json"


@contextmanager
def writer_lock(location: str, *, remote: bool, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of the index at `location`.

    Args:
        location: a local folder, created if missing, or an address in object storage.
        remote: whether `location` is such an address.
        wait_seconds: how long to wait for another writer; 0 doesn't wait, a negative number waits forever.

    Raises:
        IndexLockedError: another writer kept the lock; the message names process, host and time.
        IndexStoreError: the folder isn't writable.
    """
    folder = _remote_folder(location) if remote else Path(location)
    try:
        make_folder(folder)
        lock = FileLock(folder / _LOCK, thread_local=False)
        lock.acquire(timeout=wait_seconds if wait_seconds >= 0 else -1)
    except Timeout:
        raise IndexLockedError(
            f"the index {location} is being written by {_holder(folder)}. "
            "Wait until it has finished, or choose another --index"
        ) from None
    except OSError as error:
        raise IndexStoreError(
            f"the index {location} can't be written: {error.strerror or error}. "
            "Choose another --index, or change its permissions"
        ) from error
    note = folder / _NOTE
    try:
        me = {"pid": os.getpid(), "host": socket.gethostname(), "since_seconds": time.time()}
        write_atomically(note, json.dumps(me))
        yield
    finally:
        with suppress(OSError):
            note.unlink()
        lock.release()


def _remote_folder(location: str) -> Path:
    digest = hashlib.sha256(location.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"centerclip-lock-{digest}"


def _holder(folder: Path) -> str:
    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(note["since_seconds"]))
        return f"process {note['pid']} on {note['host']}, since {since}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"  # it has just started, or was killed before writing the note
