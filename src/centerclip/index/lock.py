"""One writer at a time: an operating-system lock, with a note about its holder.

The kernel releases the lock when its holder dies, so a crash never blocks the next run. For an index in
object storage there is a lease too, which excludes writers on other machines; the lock is in this machine's
temporary folder then, and its note tells the next writer here whose lease was left by a crash.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from centerclip.atomic import make_folder, write_atomically
from centerclip.errors import IndexLockedError, IndexStoreError

if TYPE_CHECKING:
    from centerclip.index.bucket import Bucket
    from centerclip.index.lease import Lease

__all__ = ["writer_lock"]

_LOCK, _NOTE = ".writer.lock", ".writer.json"


@contextmanager
def writer_lock(
    location: str, *, wait_seconds: float, bucket: Bucket | None = None
) -> Iterator[Lease | None]:
    """Hold the lock of the index at `location`.

    Args:
        location: a local folder, created if missing, or an address in object storage.
        wait_seconds: how long to wait for another writer; 0 doesn't wait, a negative number waits forever.
        bucket: the index's place in object storage; None for a local folder.

    Yields:
        The lease of an index in object storage, to be checked before each change.

    Raises:
        IndexLockedError: another writer kept the lock; the message names process, host and time.
        IndexStoreError: the folder isn't writable, or the store can't keep a lease.
    """
    folder = Path(location) if bucket is None else _remote_folder(location)
    begun = time.monotonic()
    with ExitStack() as held:
        lock = _lock(location, folder, wait_seconds, required=bucket is None)
        if lock is not None:
            held.callback(lock.release)
        note, lease = folder / _NOTE, None
        if bucket is not None:
            from centerclip.index.lease import Lease

            left = max(0.0, wait_seconds + begun - time.monotonic()) if wait_seconds > 0 else wait_seconds
            lease = Lease(bucket)
            lease.acquire(left, dead=str(_read(note).get("holder", "")) if lock is not None else "")
        me = {"pid": os.getpid(), "host": socket.gethostname(), "since_seconds": time.time()}
        try:
            if lock is not None:
                write_atomically(note, json.dumps({**me, "holder": lease.note.holder if lease else ""}))
            yield lease
        finally:
            if (lease is None or lease.release()) and lock is not None:
                with suppress(OSError):
                    note.unlink()


def _lock(location: str, folder: Path, wait_seconds: float, *, required: bool) -> FileLock | None:
    """Take the operating system's lock; None if that isn't possible here and not required."""
    try:
        make_folder(folder)
        lock = FileLock(folder / _LOCK, thread_local=False)
        lock.acquire(timeout=wait_seconds if wait_seconds >= 0 else -1)
        return lock
    except Timeout:
        raise IndexLockedError(
            f"the index {location} is being written by {_holder(folder)}. "
            "Wait until it has finished, or choose another --index"
        ) from None
    except OSError as error:
        if not required:  # the folder may be another user's; the lease is enough
            return None
        raise IndexStoreError(
            f"the index {location} can't be written: {error.strerror or error}. "
            "Choose another --index, or change its permissions"
        ) from error


def _remote_folder(location: str) -> Path:
    digest = hashlib.sha256(location.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"centerclip-lock-{digest}"


def _read(note: Path) -> dict[str, Any]:
    """Return what a holder wrote; nothing if it has just started, or was killed before writing it."""
    with suppress(OSError, ValueError):
        values = json.loads(note.read_text(encoding="utf-8"))
        if isinstance(values, dict):
            return values
    return {}


def _holder(folder: Path) -> str:
    note = _read(folder / _NOTE)
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(note["since_seconds"]))
        return f"process {note['pid']} on {note['host']}, since {since}"
    except (KeyError, TypeError, ValueError, OverflowError):
        return "another process"
