"""One writer at a time to an index in object storage: a lease, which is a small object beside the tables.

Each change to the object is a conditional put: it counts only if the object is as it was when it was last
seen, so of any number of processes on any machines one succeeds. The holder changes the object every few
seconds. A process that watched it stay the same for the whole time of a lease takes it over; clocks of
different machines are never compared. The holder in turn writes nothing more once that time has passed since
its last change, until it has changed the object again, which proves that nobody has taken over.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

from centerclip.errors import IndexLockedError, IndexStoreError
from centerclip.index.bucket import Bucket, refusal

__all__ = ["LEASE", "LEASE_SECONDS", "Fenced", "Lease", "Note", "now"]

LEASE = ".writer.lease"
"""The object's name; it stays when the lease is given back."""
LEASE_SECONDS = 60.0
_RENEWALS = 5
"""Changes to the object during the time of a lease."""
_LOOK_SECONDS = 1.0
"""How often a process that waits looks at the object."""
_TRIES = 3
"""How often an object is changed whose holder is this process, but whose mark is another."""
_NEVER = {"e_tag": '"00000000000000000000000000000000"', "version": "1"}
"""The mark of no object."""


def now() -> float:
    """Return seconds that also pass while this machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Note:
    """What the object says about its holder; `holder` is a random id, and "" if the lease is free."""

    holder: str = ""
    pid: int = 0
    host: str = ""
    since_seconds: float = 0.0

    @classmethod
    def read(cls, content: bytes) -> Note:
        """Read what `written` returned; a damaged note is that of an unknown holder."""
        try:
            values = json.loads(content)
            return cls(*(kind(values[name]) for name, kind in _FIELDS.items()))
        except (ValueError, KeyError, TypeError):
            return cls("unknown")

    def written(self) -> bytes:
        """Return content that differs each time, because a store may mark equal content equally."""
        values = {name: getattr(self, name) for name in _FIELDS}
        return json.dumps({**values, "change": uuid.uuid4().hex}).encode()

    def __str__(self) -> str:
        if not self.host:
            return "another process"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since_seconds))
        return f"process {self.pid} on {self.host}, since {since}"


_FIELDS = {"holder": str, "pid": int, "host": str, "since_seconds": float}


class Lease:
    """The right to write to an index, once `acquire` has returned; safe to use from many threads.

    Args:
        bucket: where the index is.
        seconds: how long the lease lasts without being renewed; the same for all writers.
    """

    def __init__(self, bucket: Bucket, *, seconds: float = LEASE_SECONDS) -> None:
        self.note = Note(uuid.uuid4().hex, os.getpid(), socket.gethostname(), time.time())
        self._bucket = bucket
        self._seconds = seconds
        self._lock = Lock()
        self._mark: dict[str, Any] | None = None
        self._until = 0.0
        self._end = Event()
        self._thread = Thread(target=self._keep, name="centerclip-lease", daemon=True)

    def acquire(self, wait_seconds: float, *, dead: str = "") -> None:
        """Take the lease.

        Args:
            wait_seconds: how long to wait for another writer; 0 doesn't wait, a negative number waits
                forever.
            dead: the id of a holder that is known not to run any more.

        Raises:
            IndexLockedError: another process kept it; the message names process, host and time.
            IndexStoreError: the store can't keep one, or isn't reachable.
        """
        self._check_store()
        begun = now()
        seen: tuple[Any, float] = None, begun
        while True:
            mark, content = self._get()
            note = Note.read(content)
            if mark != seen[0]:
                seen = mark, now()
            expired = now() - seen[1] >= self._seconds
            if not note.holder or note.holder == dead or expired:
                if self._change(mark, self.note):
                    self._thread.start()
                    return
                continue  # somebody was faster; look who
            if 0 <= wait_seconds <= now() - begun:
                raise IndexLockedError(
                    f"the index {self._bucket.location} is being written by {note}. Wait until it has "
                    "finished, or choose another --index. If that process is gone, add --wait "
                    f"{self._seconds + 10:g}: its lease ends {self._seconds:g} seconds after its last renewal"
                )
            self._end.wait(min(_LOOK_SECONDS, self._seconds / 10))

    def check(self) -> None:
        """Make sure that nobody else may write yet; asks the store only if the last renewal is long ago.

        Raises:
            IndexLockedError: another process has taken the lease over.
            IndexStoreError: the store isn't reachable.
        """
        if now() >= self._until:
            self.renew()

    def renew(self) -> None:
        """Prove to the store that this process still holds the lease; raises as `check` does."""
        with self._lock:
            if self._mark is None or not self._change(self._mark, self.note):
                self._mark, self._until = None, 0.0
                raise IndexLockedError(
                    f"the index {self._bucket.location} is now being written by another process, because "
                    "this one was stopped, or didn't reach the store, for more than "
                    f"{self._seconds:g} seconds. What was reported before is kept; run the command again"
                )

    def release(self) -> bool:
        """Give the lease back; return false if the store can't be reached, so that it has to run out."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            mark, self._mark, self._until = self._mark, None, 0.0
            try:
                if mark is not None:
                    self._change(mark, Note())
            except IndexStoreError:
                return False
            finally:
                self._mark, self._until = None, 0.0
            return True

    def _keep(self) -> None:
        while not self._end.wait(self._seconds / _RENEWALS):
            try:
                self.renew()
            except IndexLockedError:
                return  # the next change says so
            except IndexStoreError:
                continue  # perhaps it is reachable again before the lease ends

    def _change(self, mark: Any, note: Note) -> bool:
        """Replace the object that has this mark; return false if it is another process's by now."""
        from obstore.exceptions import PreconditionError

        for _ in range(_TRIES):
            begun, content = now(), note.written()
            try:
                self._mark = self._put(content, mark)
            except PreconditionError:
                mark, held = self._get()
                if held == content:  # the answer was lost, so the put was repeated and met its own result
                    self._mark = mark
                elif Note.read(held).holder == self.note.holder:  # so was that of the change before
                    continue
                else:
                    return False
            # Others count from when they see this change, which is later. The rest is for the write to come.
            self._until = begun + self._seconds * (1 - 1 / _RENEWALS)
            return True
        return False

    def _check_store(self) -> None:
        """Create the object if need be, and make sure that conditions count.

        Raises:
            IndexStoreError: they don't, or the store isn't reachable.
        """
        from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

        content = Note().written()
        try:
            for _ in range(2):
                self._put(content, "create")
        except AlreadyExistsError:
            try:
                self._put(content, _NEVER)
            except PreconditionError:
                return
            except NotSupportedError:
                pass
        except NotSupportedError:
            pass
        raise IndexStoreError(
            f"the index {self._bucket.location} can't be written: its store ignores conditions of writes "
            "(If-None-Match, If-Match), so two writers at once would damage the index. Use a store that "
            "supports them, as Amazon S3 does"
        )

    def _put(self, content: bytes, mode: Any) -> Any:
        import obstore

        with self._errors():
            return _mark(obstore.put(self._bucket.objects, LEASE, content, mode=mode, use_multipart=False))

    def _get(self) -> tuple[Any, bytes]:
        import obstore

        with self._errors():
            found = obstore.get(self._bucket.objects, LEASE)
            return _mark(found.meta), bytes(found.bytes())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Let through what a condition led to."""
        from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError, PreconditionError

        try:
            yield
        except (AlreadyExistsError, NotSupportedError, PreconditionError):
            raise
        except (BaseError, OSError, ValueError) as error:
            raise refusal(self._bucket.location, "being locked", error) from error


def _mark(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells an object from what it is after a change."""
    return {name: meta[name] for name in ("e_tag", "version") if meta[name] is not None}


class Fenced:
    """A table's handle for writing that can be used only while the lease is held."""

    def __init__(self, table: Any, lease: Lease) -> None:
        self._table = table
        self._lease = lease

    def __getattr__(self, name: str) -> Any:
        self._lease.check()
        return getattr(self._table, name)
