"""An index's location and tables: opening, recognizing and creating them.

An index exists once it is bound to a model, which is recorded last; an interrupted creation starts over.
Folders that hold anything else are never touched.
"""

from __future__ import annotations

import logging
import os
import shlex
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from threading import BoundedSemaphore, RLock, local
from typing import Any

import pyarrow as pa

from centerclip.cores import available_cores
from centerclip.errors import IndexStoreError
from centerclip.index.bucket import Bucket
from centerclip.index.card import ModelCard
from centerclip.index.changing import merge
from centerclip.index.durable import DurableTable
from centerclip.index.foreign import refuse_foreign
from centerclip.index.head import (
    FORMAT,
    HEAD,
    Meta,
    format_head,
    parse_head,
    read_head,
    read_values,
    write_head,
)
from centerclip.index.lease import Fenced, Lease
from centerclip.index.lock import writer_lock
from centerclip.index.schema import ADDED, KEYS, schemas
from centerclip.index.sql import store_errors
from centerclip.index.summary import is_remote, local_bytes
from centerclip.index.versions import find_good, manifests
from centerclip.remote import absolute

__all__ = ["FORMAT", "Meta", "Store"]

_LOG = logging.getLogger("centerclip.index")
_CACHE, _REMOTE_CACHE = 16 << 20, 64 << 20
"""Bytes of descriptions of files and versions that a connection keeps: in a folder, and in object storage,
where reading one again takes a request. The store's own limit is 1 GB, which a process fills that follows an
index: each version has descriptions of its own, 90 kB of them. Those of 320,000 windows take 9 MB."""


class Store:
    """The tables at one location; safe to use from many threads.

    Args:
        location: a folder or an address such as `s3://bucket/prefix`.
        storage_options: settings of object storage; see `Bucket`.

    Raises:
        IndexStoreError: the location holds something else, or isn't reachable.
    """

    def __init__(self, location: str | Path, *, storage_options: Mapping[str, str] | None = None) -> None:
        text = str(location).removeprefix("file://")
        self.remote = is_remote(text)
        self.location = text.rstrip("/") if self.remote else str(Path(text).expanduser().absolute())
        if storage_options and not self.remote:
            raise IndexStoreError(
                f"the index {self.location} is a folder, so it has no storage options: leave them out, or "
                "name an address such as s3://bucket/prefix"
            )
        self._bucket = Bucket(self.location, storage_options) if self.remote else None
        self._lease: Lease | None = None
        self._lock = RLock()
        self._latest: dict[str, Any] = {}
        self._head: tuple[bytes, Meta] | None = None
        self._good: dict[str, tuple[tuple[str, int], tuple[int, Any]]] = {}
        self._files: dict[str, DurableTable] = {}
        self._warned: set[str] = set()
        self._published = b""
        self._turns = BoundedSemaphore(max(2, available_cores()))
        self._here = local()
        refuse_foreign(self.location, self._bucket)

    def meta(self) -> Meta | None:
        """Read the index's current description; None while there is no index. Takes 0.03 ms if local.

        An index that was deleted and created again has another id.

        Raises:
            IndexStoreError: it has another format, or can't be read.
        """
        with store_errors(self.location, "reading its description"):
            content = None if self.remote else read_head(self.location)
            if content is None:
                return self._read_table()
            known = self._head
            if known is not None and known[0] == content:
                return known[1]
            try:
                meta = parse_head(content, self.location)
            except ValueError:
                self._warn("its description can't be read, so a copy of it is used")
                return self._read_table()
            self._head = content, meta
            return meta

    @contextmanager
    def locked(self, *, wait_seconds: float) -> Iterator[None]:
        """Be the only writer; see `writer_lock`. Handles for writing can be used only in here."""
        with writer_lock(self.location, wait_seconds=wait_seconds, bucket=self._bucket) as self._lease:
            try:
                yield
            finally:
                self._lease = None

    def confirm(self) -> None:
        """Make sure that this is still the only writer, before a change.

        Raises:
            IndexLockedError: another process has taken the lease over.
        """
        if self._lease is not None:
            self._lease.renew()

    def _read_table(self) -> Meta | None:
        """Read the description from the table `meta`."""
        if self.remote:
            table = self._try_open("meta")
        elif not manifests(self.location, "meta"):
            return None
        else:
            table = find_good(self.location, "meta", self.connection)
            if table is None and not self._holds_nothing():  # otherwise, its creation was interrupted
                raise IndexStoreError(
                    f"the index {self.location} can't be mended: its description can't be read, and neither "
                    "can the copy of it. Delete the index, and index the videos again"
                )
        return None if table is None else Meta.from_values(read_values(table), self.location)

    def create(self, card: ModelCard) -> None:
        """Create the tables; the caller holds the lock and has checked that there is no index."""
        with store_errors(self.location, "being created"):
            self.confirm()
            self.reconnect()
            if self.remote or not self._holds_nothing():
                self._refuse_leftovers()
            for name in self.connection.list_tables().tables:
                self.connection.drop_table(name)
            meta = Meta(uuid.uuid4().hex, card)
            for name in KEYS:  # meta comes last
                self.create_table(name, meta)
            self.commit(meta)

    def create_table(self, name: str, meta: Meta) -> None:
        """Create a table of the index that `meta` describes, without rows about files."""
        self.confirm()
        schema = schemas(meta.card.embed_size, meta.format)[name]
        values = meta.values()
        data = pa.table([values.keys(), values.values()], schema=schema) if name == "meta" else None
        self.connection.create_table(name, data=data, schema=schema)

    def add_roots(self, roots: Iterable[str | os.PathLike[str]]) -> None:
        """Store further roots as absolute paths; the caller holds the lock."""
        meta = self.meta()
        if meta is None:
            return
        value = tuple(dict.fromkeys([*meta.roots, *(absolute(root) for root in roots)]))
        if value != meta.roots:
            self.describe(replace(meta, roots=value))

    def remove_roots(self, roots: Iterable[Path]) -> None:
        """Forget roots; the caller holds the lock."""
        meta = self.meta()
        if meta is not None and (gone := set(roots) & set(meta.roots)):
            self.describe(replace(meta, roots=tuple(root for root in meta.roots if root not in gone)))

    def describe(self, meta: Meta) -> None:
        """Replace the index's description; the caller holds the lock."""
        with store_errors(self.location, "being written"):
            table, values = self.newest("meta"), meta.values()
            merge(table, pa.table([values.keys(), values.values()], schema=table.schema))
            self.commit(meta)

    def commit(self, meta: Meta | None = None, *, checked: bool = False) -> None:
        """Wait until all that was written is on the disk; then make it what readers see.

        In object storage, where writes return once they are durable, it is what those see who copy the index.

        Args:
            meta: the index's new description; None to keep it.
            checked: whether the tables agree with each other.
        """
        meta = meta or self.meta()
        if meta is None:
            return
        if self._bucket is not None:
            head = format_head(replace(meta, versions=self._versions(), checked=checked))
            if head != self._published:
                self.confirm()
                self._bucket.write(HEAD, head)
                self._published = head
            return
        self.sync(*KEYS)
        versions = {name: next(iter(manifests(self.location, name))) for name in KEYS}
        wanted = replace(meta, versions=versions, checked=checked)
        if wanted != self.meta():
            write_head(self.location, wanted)

    def is_checked(self) -> bool:
        """Whether the tables agree with each other, because nothing was written since a writer found so."""
        meta = self.meta()
        if self._bucket is None or meta is None:
            return meta is not None and meta.checked  # `recover` has undone what was written since
        try:
            head = parse_head(self._bucket.read(HEAD), self.location)
        except (FileNotFoundError, ValueError):
            return False
        return head.checked and head.id == meta.id and head.versions == self._versions()

    def _versions(self) -> dict[str, int]:
        """Return the newest versions of the tables in object storage."""
        return {name: self.version(name) for name in KEYS if self.has(name)}

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Wait for a turn to read a local index: one per core, which more readers would only share.

        The store starts a thread for each of a reader's parts that wait, and ends it only after ten seconds
        without work, so the number of threads becomes that of the busiest moment ever.
        """
        if self.remote or getattr(self._here, "reads", False):
            yield
            return
        with self._turns:
            self._here.reads = True
            try:
                yield
            finally:
                self._here.reads = False

    def sync(self, *names: str) -> None:
        """Wait until all that was written into these tables is on the disk."""
        if not self.remote:
            for name in names:
                folder = Path(self.location, f"{name}.lance")
                self._files.setdefault(name, DurableTable(folder)).sync()

    def table(self, name: str) -> Any:
        """Return a handle for reading, at the table's current version.

        If a power cut or a faulty disk damaged it, it is the newest version that can be read, with a warning.
        """
        with store_errors(self.location, f"opening its table {name}"):
            return self.connection.open_table(name) if self.remote else self._readable(name)[1]

    def newest(self, name: str) -> Any:
        """Return a handle for writing; it follows only its own writes, which readers see after `commit`."""
        with store_errors(self.location, f"opening its table {name}"):
            table = self.connection.open_table(name)
            return table if self._lease is None else Fenced(table, self._lease)

    def has(self, name: str) -> bool:
        """Whether there is such a table; an index made by an earlier version lacks those of `ADDED`."""
        with store_errors(self.location, f"looking for its table {name}"):
            if self.remote:
                return name in self._latest or self._try_open(name) is not None
            meta = self.meta()
            return (meta is not None and name in meta.versions) or bool(manifests(self.location, name))

    def add_tables(self, meta: Meta) -> None:
        """Create the tables that an index of an earlier version lacks; the caller holds the lock."""
        for name in sorted(ADDED):
            if not self.has(name):
                self.create_table(name, meta)

    def version(self, name: str) -> int:
        """Return the number of the table's current version."""
        with store_errors(self.location, f"reading the version of its table {name}"):
            if not self.remote:
                return self._readable(name)[0]
            latest = self._latest.get(name)
            if latest is None:
                latest = self._latest[name] = self._connect(timedelta(0)).open_table(name)
            return int(latest.version)

    def _readable(self, name: str) -> tuple[int, Any]:
        """Return the number of the version that readers should use, and a handle that they share."""
        meta = self.meta()
        wanted = meta.versions.get(name) if meta else None
        key = (meta.id, wanted) if meta and wanted is not None else None
        with self._lock:
            known = self._good.get(name)
            if known is not None and known[0] == key:
                return known[1]
            good = find_good(self.location, name, self.connection, wanted)
            if self.meta() != meta:  # a writer may have deleted the files meanwhile
                return self._readable(name)
            older = good is None or good.version != (wanted or max(manifests(self.location, name)))
            if good is None or (older and not good.count_rows()):
                raise self._damaged(f"its table {name} can't be read")
            if older:
                self._warn(
                    f"a power cut or a faulty disk damaged its table {name}, so an older state of it is used"
                )
            found = int(good.version), good
            if key is not None:
                self._good[name] = key, found
            return found

    def _damaged(self, what: str) -> IndexStoreError:
        return IndexStoreError(f"the index {self.location} is damaged: {what}. Run `{self._remedy}`")

    @property
    def _remedy(self) -> str:
        return f"centerclip repair --index {shlex.quote(self.location)}"

    def _warn(self, what: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            _LOG.warning("the index %s is damaged: %s. Run `%s`", self.location, what, self._remedy)

    def size_bytes(self) -> int:
        """Return the index's size on disk; in object storage, that of its newest versions."""
        if self.remote:
            return sum(int(self.table(name).stats()["total_bytes"]) for name in KEYS)
        return local_bytes(self.location)

    @cached_property
    def connection(self) -> Any:
        if not self.remote:
            # The store starts a thread per read that waits, up to 512, and busy ones never end. Local files
            # are read from memory most of the time, so neither more threads than cores help nor reading
            # several of a table's parts at once.
            os.environ.setdefault("LANCE_IO_THREADS", str(max(2, available_cores())))
            os.environ.setdefault("LANCE_DEFAULT_FRAGMENT_READAHEAD", "1")
        return self._connect()  # creates the folder

    def _connect(self, read_consistency_interval: timedelta | None = None) -> Any:
        from centerclip.index.lance import lancedb  # takes 0.7 s, so not before it is needed

        return lancedb.connect(
            self.location,
            read_consistency_interval=read_consistency_interval,
            storage_options=self._bucket.options if self._bucket else None,
            session=lancedb.Session(metadata_cache_size_bytes=_REMOTE_CACHE if self.remote else _CACHE),
        )

    def reconnect(self) -> None:
        """Forget what is known about the tables, because another process may have replaced their files."""
        self.__dict__.pop("connection", None)
        for known in (self._good, self._files, self._latest):
            known.clear()
        self._published = b""

    def _holds_nothing(self) -> bool:
        """Whether no table of a local index has ever had a row about a file."""
        names = set(KEYS) - {"meta"}
        return not any(any(Path(self.location, f"{name}.lance", "data").glob("*")) for name in names)

    def _refuse_leftovers(self) -> None:
        for name in self.connection.list_tables().tables:
            leftover = self._try_open(name)
            if name != "meta" and leftover is not None and leftover.count_rows():
                raise IndexStoreError(
                    f"{self.location} holds a table {name} with rows of an unknown model. "
                    "Nothing was touched; delete it, or choose another --index"
                )

    def _try_open(self, name: str) -> Any:
        """Open a table; None if its creation was interrupted or never started."""
        try:
            return self.connection.open_table(name)
        except ValueError as error:
            if "was not found" not in str(error):
                raise
            return None
