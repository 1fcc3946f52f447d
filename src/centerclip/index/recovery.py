"""Bring the tables of a local index back to a state that can be read, before anything is written.

Three things can be found. An interrupted run left versions that were never named as the index's state: they
are undone. A power cut or a faulty disk damaged files of the named version: the newest good version replaces
it, or, if that keeps more rows, the damaged pieces are dropped. Nothing can be read: the table is made again,
empty. Files that lost rows are found by the rule of `contents`, forgotten, and encoded again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from centerclip.errors import IndexStoreError
from centerclip.index.bucket import is_refusal
from centerclip.index.schema import ADDED, KEYS
from centerclip.index.store import Store
from centerclip.index.versions import (
    STORE_ERRORS,
    damaged_manifests,
    find_good,
    index_errors,
    manifests,
    open_alone,
)

__all__ = ["drop_pieces", "recover", "unreadable_pieces"]

_PIECE = 32
"""The upper bits of a row's id are the number of its piece, which has up to 2^32 rows."""
_PIECES = 100_000
"""More pieces than a table can have: long runs merge them."""
_ROWS = 1024
"""Rows to read at once; with pictures, 20 MB."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """What of a version can be kept: its rows without those of damaged pieces."""

    table: Any
    rows: int
    pieces: Mapping[int, int] = field(default_factory=dict)


def recover(store: Store) -> dict[str, str]:
    """Make the newest good version of each table the index's state; the caller holds the lock.

    Returns:
        For each table that was damaged, what was done.

    Raises:
        IndexStoreError: the index's description is lost.
    """
    meta = store.meta()
    if store.remote or meta is None:
        return {}
    store.reconnect()
    done = {}
    for name in ("meta", *(name for name in KEYS if name != "meta")):
        if text := _recover_table(store, name, meta.versions.get(name)):
            done[name] = text
    if done:  # numbers of versions are used again, so caches must notice
        store.describe(replace(meta, id=uuid.uuid4().hex))
    else:
        store.commit(checked=meta.checked)
    return done


def _recover_table(store: Store, name: str, wanted: int | None) -> str:
    """Return what was done about damage; "" if there was none."""
    newest = next(iter(manifests(store.location, name)), None)
    meta = store.meta()
    if newest is None and wanted is None and name in ADDED and meta is not None:
        store.create_table(name, meta)
        return ""
    for file in damaged_manifests(store.location, name):
        file.unlink()
    good = find_good(store.location, name, store.connection, wanted)
    if good is not None and good.version == (wanted or newest):
        _put_on_top(store, good)
        return ""
    rest = _largest_rest(store, name, wanted)
    if rest is not None and (good is None or rest.rows > good.count_rows()):
        _put_on_top(store, rest.table)
        table = store.newest(name)
        for index in (errors := index_errors(table)):
            table.drop_index(index)
        drop_pieces(table, rest.pieces)
        dropped = f"rows dropped that can't be read: {sum(rest.pieces.values())}" if rest.pieces else ""
        kind = "full-text" if name == "cues" else "ANN"
        return dropped or f"{kind} indices dropped that can't be read: {len(errors)}"
    if good is not None:
        _put_on_top(store, good)
        return "an older state of it is used"
    if meta is None:
        raise IndexStoreError(f"the index {store.location} was deleted meanwhile")
    with suppress(*STORE_ERRORS):
        store.connection.drop_table(name)
    store.create_table(name, meta)
    store.reconnect()
    return "nothing of it could be read, so it was made again"


def _put_on_top(store: Store, good: Any) -> None:
    """Make a version the newest: delete newer manifests that can't be read, and restore it over the rest."""
    wanted = int(good.version)
    newer = [number for number in manifests(store.location, good.name) if number > wanted]
    if not newer:
        return
    for number in newer:
        try:
            open_alone(store.location, good.name, number)
        except STORE_ERRORS:
            manifests(store.location, good.name)[number].unlink()
    store.reconnect()
    table = store.newest(good.name)
    if table.version != wanted:
        table.checkout(wanted)
        table.restore()


def _largest_rest(store: Store, name: str, at_most: int | None) -> _Rest | None:
    """Find the newest version whose manifest can be read, and its pieces that can't."""
    for number in manifests(store.location, name):
        if at_most is None or number <= at_most:
            with suppress(*STORE_ERRORS):
                table = open_alone(store.location, name, number)
                pieces = unreadable_pieces(table, whole=False)
                return _Rest(table, table.count_rows() - sum(pieces.values()), pieces)
    return None


def unreadable_pieces(table: Any, *, whole: bool) -> dict[int, int]:
    """Return the numbers of the table's pieces that can't be read, and how many rows each has.

    Args:
        table: a handle for reading.
        whole: whether to read every row, or only the first ones of each piece.

    Raises:
        OSError, ValueError, RuntimeError: a list of deleted rows can't be read.
    """
    found = {}
    left, piece = table.count_rows(), 0
    while left > 0:
        if rows := table.count_rows(_rows_of(piece)):
            try:
                _read(table, piece, rows if whole else 1)
            except STORE_ERRORS as error:
                if is_refusal(error):  # the piece may be good
                    raise
                found[piece] = rows
        left -= rows
        piece += 1
        if piece > _PIECES:
            raise ValueError("the numbers of its rows contradict each other")
    return found


def drop_pieces(table: Any, pieces: Mapping[int, int]) -> None:
    """Delete the rows of pieces, which needs none of their files."""
    for piece in pieces:
        table.delete(_rows_of(piece))


def _read(table: Any, piece: int, rows: int) -> None:
    """Read at least this many rows of a piece; ids of deleted rows are ignored by the store."""
    start, columns = piece << _PIECE, table.schema.names
    while rows > 0:
        ids = list(range(start, start + _ROWS))
        rows -= table.take_row_ids(ids).select(columns).to_arrow().num_rows
        start += _ROWS


def _rows_of(piece: int) -> str:
    return f"_rowid >= {piece << _PIECE} AND _rowid < {(piece + 1) << _PIECE}"
