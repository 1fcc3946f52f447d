"""Where an index lies and what tables it has: opening, recognizing, creating, migrating.

`meta` is written last, so an index exists from the moment it is bound to a model and not before; what an
interrupted creation left is created anew. A folder that holds anything else is never touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import pyarrow as pa

from centerclip.errors import IndexStoreError
from centerclip.index.card import ModelCard
from centerclip.index.lock import writer_lock
from centerclip.index.schema import META, VIDEOS, windows_schema
from centerclip.index.sql import store_errors

__all__ = ["FORMAT", "MIGRATIONS", "Store"]

FORMAT = 1
"""Of the tables' layout. Raise it with any change, and add the step from the one before to `MIGRATIONS`."""

MIGRATIONS: dict[int, Callable[[Any], None]] = {}
"""From a format to the next: `step(connection)`, safe to run twice."""

_TABLES = ("meta", "videos", "windows")


class Store:
    """The tables at one location.

    Args:
        location: a folder or an address such as `s3://bucket/prefix`.

    Raises:
        IndexStoreError: the place holds something else, a newer format, or can't be reached.
    """

    def __init__(self, location: str | Path) -> None:
        text = str(location).removeprefix("file://")
        self.remote = "://" in text
        self.location = text if self.remote else str(Path(text).expanduser().absolute())
        self._connection: Any = None
        self._latest: dict[str, Any] = {}
        self._refuse_foreign()

    def card(self) -> ModelCard | None:
        """The model the index is bound to, None while there is no index yet."""
        if not self.remote and not Path(self.location, "meta.lance").exists():
            return None
        with store_errors(self.location, "reading what model it belongs to"):
            table = self._try_open("meta")
            if table is None:
                return None
            rows = table.to_arrow().to_pylist()
        meta = {row["key"]: row["value"] for row in rows}
        self._check_format(int(meta["format"]))
        return ModelCard.from_json(meta["model"])

    def create(self, card: ModelCard) -> None:
        """Make the tables; the caller holds the lock and has seen that there is no card."""
        with store_errors(self.location, "being created"):
            connection = self._connect()
            for name in self._table_names():
                leftover = self._try_open(name)
                if leftover is not None and leftover.count_rows():
                    raise IndexStoreError(
                        f"{self.location} holds a table {name} with rows, but does not say of which model "
                        "they are. Nothing was touched; delete it, or give another --index"
                    )
                connection.drop_table(name)
            connection.create_table("windows", schema=windows_schema(card.embed_size))
            connection.create_table("videos", schema=VIDEOS)
            connection.create_table("meta", data=_meta(FORMAT, card))

    def table(self, name: str) -> Any:
        """A handle that stays at the table's present version until told otherwise."""
        with store_errors(self.location, f"opening its table {name}"):
            return self._open(name)

    def version(self, name: str) -> int:
        """The number of the table's newest version; about a millisecond on a local disk."""
        with store_errors(self.location, f"looking at its table {name}"):
            if name not in self._latest:
                from centerclip.index.lance import lancedb

                fresh = lancedb.connect(self.location, read_consistency_interval=timedelta(0))
                self._latest[name] = fresh.open_table(name)
            return int(self._latest[name].version)

    def size_bytes(self) -> int:
        """What the index takes on the disk; in object storage, what its newest versions take."""
        if self.remote:
            return sum(int(self.table(name).stats()["total_bytes"]) for name in _TABLES)
        files = (Path(folder, name) for folder, _, names in os.walk(self.location) for name in names)
        return sum(file.stat().st_size for file in files)

    def _connect(self) -> Any:
        if self._connection is None:
            from centerclip.index.lance import lancedb  # takes 0.7 s, which an error so far did not need

            self._connection = lancedb.connect(self.location)
        return self._connection

    def _open(self, name: str) -> Any:
        return self._connect().open_table(name)

    def _try_open(self, name: str) -> Any:
        """The table, or None while it has no version: its creation was interrupted, or never begun."""
        try:
            return self._open(name)
        except ValueError as error:
            if "was not found" not in str(error):
                raise
            return None

    def _table_names(self) -> list[str]:
        return list(self._connect().list_tables().tables)

    def _refuse_foreign(self) -> None:
        if self.remote:
            with store_errors(self.location, "being opened"):
                names = {f"{name}.lance" for name in self._table_names()}
        elif os.path.isdir(self.location):
            names = set(os.listdir(self.location))
        elif os.path.exists(self.location):
            raise IndexStoreError(
                f"{self.location} is a file, but an index is a folder: give another --index"
            )
        else:
            return
        visible = {name for name in names if not name.startswith(".")}  # the lock, a desktop's droppings
        foreign = sorted(visible - {f"{name}.lance" for name in _TABLES})
        if foreign:
            raise IndexStoreError(
                f"{self.location} is no index: it holds {foreign[0]!r}, which no index does. "
                "Nothing was touched; give an empty or new folder with --index"
            )

    def _check_format(self, found: int) -> None:
        if found > FORMAT:
            raise IndexStoreError(
                f"the index {self.location} has format {found}, but this version of centerclip knows formats "
                f"up to {FORMAT}: upgrade centerclip, or give another --index"
            )
        if found == FORMAT:
            return
        with writer_lock(self.location, remote=self.remote, wait_seconds=60):
            meta = {row["key"]: row["value"] for row in self._open("meta").to_arrow().to_pylist()}
            for step in range(int(meta["format"]), FORMAT):
                MIGRATIONS[step](self._connect())
                rows = _meta(step + 1, ModelCard.from_json(meta["model"]))
                self._connect().create_table("meta", data=rows, mode="overwrite")


def _meta(number: int, card: ModelCard) -> pa.Table:
    versions = {name: package_version(name) for name in ("centerclip", "lancedb", "pyarrow")}
    values = {"format": str(number), "model": card.to_json(), "written_by": json.dumps(versions)}
    return pa.table({"key": list(values), "value": list(values.values())}, schema=META)
