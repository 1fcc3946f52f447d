"""How rows of a table are replaced and copied, and which ones are new.

Appending takes the same time and memory into a table of any size. A merge compares the keys of the whole
table, which takes 0.7 GB and 2 s with 1,000,000 windows; it is for object storage, where a writer that was
stopped in the middle of a commit may go on after another one took over. The store refuses its merge then, but
would add its rows a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from centerclip.index.schema import KEYS
from centerclip.index.sql import any_of

__all__ = ["conditions", "copied_rows", "end_of", "merge", "replace_rows", "since"]

_PATHS = 1000
"""Paths in one condition."""
_PIECE = 32
"""The upper bits of a row's id are the number of its piece. Numbers grow with each piece that is added."""


def conditions(paths: Sequence[str]) -> Iterator[str]:
    """Yield conditions that together are met by the rows of these paths, each by those of some."""
    for at in range(0, len(paths), _PATHS):
        yield any_of("path", paths[at : at + _PATHS]).sql


def replace_rows(
    table: Any, rows: pa.Table, paths: Sequence[str], known: Sequence[str], *, merged: bool
) -> int:
    """Replace all rows of some paths by others.

    Args:
        table: one of the index.
        rows: of these paths, with distinct keys.
        paths: whose rows are replaced.
        known: those of them that may have rows.
        merged: whether to do it in one commit that can't add rows twice, whatever other writers do.

    Returns:
        Number of rows replaced or deleted.
    """
    if merged:
        return merge(table, rows, any_of("path", paths).sql)
    changed = 0
    for condition in conditions(known):
        changed += int(table.delete(condition).num_deleted_rows)
    if rows.num_rows:
        table.add(rows)
    return changed


def merge(table: Any, rows: pa.Table, gone: str | None = None) -> int:
    """Insert rows or replace those with the same key, and delete others that meet `gone`, in one commit.

    Repeating it can't duplicate rows.

    Args:
        table: one of the index.
        rows: with distinct keys; the store would duplicate equal ones.
        gone: SQL condition.

    Returns:
        Number of rows replaced or deleted.
    """
    builder = table.merge_insert(KEYS[table.name]).when_matched_update_all().when_not_matched_insert_all()
    if gone is not None:
        builder = builder.when_not_matched_by_source_delete(gone)
    done = builder.execute(rows)
    return int(done.num_updated_rows + done.num_deleted_rows)


def copied_rows(table: Any, pairs: Sequence[tuple[str, str, float]]) -> pa.Table:
    """Return rows of files for other paths.

    Args:
        table: with the column `path`.
        pairs: stored path, the other one, and the time of modification there.
    """
    rows = table.search().where(any_of("path", {old for old, _, _ in pairs}).sql).to_arrow()
    made = []
    for old, new, modified in pairs:
        some = rows.filter(pc.equal(rows["path"], old))
        values: dict[str, pa.Array] = {"path": pa.array([new] * len(some), pa.string())}
        if "modified_seconds" in rows.column_names:
            values["modified_seconds"] = pa.array([modified] * len(some), pa.float64())
        for name, column in values.items():
            at = rows.schema.get_field_index(name)
            some = some.set_column(at, rows.schema.field(at), column)
        made.append(some)
    return pa.concat_tables(made)


def end_of(table: Any) -> int:
    """Return a number that the ids of rows that are added or changed later reach; few others do."""
    rows = table.count_rows()
    if not rows:
        return 0
    last = table.take_offsets([rows - 1]).select(KEYS[table.name][:1]).with_row_id().to_arrow()
    return int(((last["_rowid"][0].as_py() >> _PIECE) + 1) << _PIECE)


def since(end: int) -> str:
    """Return the condition on rows that were added or changed after `end_of` returned `end`."""
    return f"_rowid >= {end}"
