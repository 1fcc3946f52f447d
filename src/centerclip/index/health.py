"""Check an index completely, and mend it: `examine` reads everything, `repair` also writes.

What can't be read is replaced by an older state or dropped. Files that lose rows this way are forgotten, so
that the next run encodes them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from centerclip.errors import IndexStoreError
from centerclip.index.binding import described
from centerclip.index.bucket import AccessError, explain, is_refusal
from centerclip.index.contents import inspect_tables
from centerclip.index.cues import inspect_transcripts
from centerclip.index.head import HEAD, Meta, parse_head, read_head, read_values
from centerclip.index.packing import are_possible
from centerclip.index.recovery import drop_pieces, recover, unreadable_pieces
from centerclip.index.schema import ADDED, KEYS
from centerclip.index.sql import equals, reason_of
from centerclip.index.store import Store
from centerclip.index.versions import STORE_ERRORS, damaged_manifests, find_good, manifests
from centerclip.index.writer import Writer

__all__ = ["TableReport", "examine", "repair"]

_BATCH = 1024
"""Rows to read at once; with pictures, 20 MB."""


@dataclass(frozen=True, slots=True)
class TableReport:
    """What was found in a table, and what was done about it.

    Attributes:
        table: its name.
        rows: number of rows that can be used.
        state: `good`, `damaged`, or `mended`, which was damaged before.
        detail: what is damaged, for the owner of the index; "" if it is good.
    """

    table: str
    rows: int
    state: Literal["good", "damaged", "mended"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """The reports, and the paths whose rows are damaged."""

    reports: list[TableReport]
    paths: set[str]
    unsaid: set[str]
    """The paths whose transcripts are damaged."""


def examine(location: str | Path, *, storage_options: Mapping[str, str] | None = None) -> list[TableReport]:
    """Read everything in an index, and change nothing; `storage_options` are those of `VideoIndex`.

    Raises:
        IndexStoreError: there is no index, or nothing of it can be read.
    """
    with _errors(location):
        store = Store(location, storage_options=storage_options)
        return _examine(store, described(store)).reports


def repair(
    location: str | Path,
    *,
    wait_seconds: float = 0.0,
    storage_options: Mapping[str, str] | None = None,
) -> list[TableReport]:
    """Check an index completely, and mend what is damaged.

    Args:
        location: of the index.
        wait_seconds: how long to wait for a writer; 0 doesn't wait, a negative number waits forever.
        storage_options: those of `VideoIndex`.

    Raises:
        IndexLockedError: another process is writing to it.
        IndexStoreError: there is no index, or it can't be mended.
    """
    with _errors(location):
        store = Store(location, storage_options=storage_options)
        described(store)
    with store.locked(wait_seconds=wait_seconds), _errors(location):
        store.reconnect()
        meta = described(store)
        found = _examine(store, meta)
        done = recover(store)
        if any(report.state == "damaged" for report in found.reports):
            for name in KEYS:
                table = store.newest(name)
                drop_pieces(table, unreadable_pieces(table, whole=True))
            store.describe(store.meta() or meta)
        writer = Writer(store, meta.card)
        writer.remove(map(Path, found.paths))
        writer.forget_transcripts(map(Path, found.unsaid))
        writer.finish()
        store.reconnect()
        after = _examine(store, described(store)).reports
        for report in after:
            if report.state == "damaged":
                raise ValueError(f"its table {report.table} is still damaged: {report.detail}")
    return [
        replace(now, state="mended", detail=_joined(before.detail, done.get(now.table, "")))
        if before.state == "damaged"
        else replace(now, detail=before.detail)
        for before, now in zip(found.reports, after, strict=True)
    ]


@contextmanager
def _errors(location: str | Path) -> Iterator[None]:
    """Say what is left to do, where other commands advise to run this one."""
    try:
        yield
    except AccessError:
        raise
    except (IndexStoreError, *STORE_ERRORS) as error:
        if is_refusal(error):
            raise explain(str(location), "being checked", error) from error
        cause = error.__cause__ if isinstance(error, IndexStoreError) else error
        if cause is None:
            raise
        raise IndexStoreError(
            f"the index {location} can't be mended: {reason_of(cause)}. If its location is reachable, "
            "restore the index from a backup, or delete it and index the videos again"
        ) from error


def _examine(store: Store, meta: Meta) -> _Found:
    reports: list[TableReport] = []
    tables: dict[str, Any] = {}
    paths: set[str] = set()
    unsaid: set[str] = set()
    for name in KEYS:
        if name in ADDED and not store.has(name) and name not in meta.versions:
            reports.append(TableReport(name, 0, "good"))  # an earlier version made this index
            continue
        table, faults = _open(store, meta, name)
        rows = 0
        if table is not None:
            rows = table.count_rows()
            try:
                bad = _damaged_rows(table)
                tables[name] = table
            except STORE_ERRORS as error:
                if is_refusal(error):
                    raise
                bad = []
                faults.append("some rows can't be read")
            if bad:
                faults.append(f"rows with damaged values: {len(bad)}")
                rows -= len(bad)
                (unsaid if name in ADDED else paths).update(bad)
        reports.append(TableReport(name, rows, "damaged" if faults else "good", "; ".join(faults)))
    if {"pictures", "windows", "videos"} <= tables.keys():
        broken = inspect_tables(tables["pictures"], tables["windows"], tables["videos"]).broken - paths
        if broken:
            at = list(KEYS).index("videos")
            text = f"files with other rows than they should have: {len(broken)}"
            old = reports[at]
            reports[at] = replace(old, state="damaged", detail=_joined(old.detail, text))
            paths |= broken
    if {"cues", "transcripts", "videos"} <= tables.keys():
        encoded = tables["videos"].search().where(equals("state", "done").sql).select(["path", "video_id"])
        broken = inspect_transcripts(tables["cues"], tables["transcripts"], encoded.to_arrow()).broken
        if broken := broken - paths - unsaid:
            at = list(KEYS).index("transcripts")
            text = f"files with other cues than they should have: {len(broken)}"
            reports[at] = replace(reports[at], state="damaged", detail=_joined(reports[at].detail, text))
            unsaid |= broken
    return _Found(reports, paths, unsaid)


def _open(store: Store, meta: Meta, name: str) -> tuple[Any, list[str]]:
    """Return a handle at the table's best version, None if there is none, and what is damaged so far."""
    if store.remote:
        return store.table(name), []
    faults = []
    if name == "meta":
        try:
            parse_head(read_head(store.location) or b"", store.location)
        except ValueError:
            faults.append(f"the file {HEAD} is missing or damaged")
    wanted = meta.versions.get(name)
    table = find_good(store.location, name, store.connection, wanted)
    if table is None:
        return None, [*faults, "it can't be read"]
    if table.version != (wanted or next(iter(manifests(store.location, name)))):
        faults.append("its newest state can't be read")
    elif damaged_manifests(store.location, name, wanted):
        faults.append("an older state of it can't be read")
    elif name == "meta" and read_values(table) != meta.values():
        faults.append(f"it differs from the file {HEAD}")
    return table, faults


def _damaged_rows(table: Any) -> list[str]:
    """Read all rows; return the path of each one whose values can't be right.

    Raises:
        OSError, ValueError, RuntimeError: some can't be read.
    """
    if table.name == "meta":
        return []
    bad: list[str] = []
    rows = 0
    for batch in table.search().select(table.schema.names).to_batches(_BATCH):
        rows += batch.num_rows
        wrong = ~_are_right(batch, table.name)
        bad += [batch["path"][int(at)].as_py() for at in np.flatnonzero(wrong)]
    if rows != table.count_rows():
        raise ValueError(f"{rows} rows instead of {table.count_rows()}")
    return bad


def _are_right(batch: pa.RecordBatch, name: str) -> NDArray[np.bool_]:
    """Return for each row whether its values are possible; a damaged disk tends to leave zeros."""
    if name == "videos":
        return np.array([state in {"done", "failed"} for state in batch["state"].to_pylist()], dtype=bool)
    if name == "transcripts":
        return np.array([cues >= 0 for cues in batch["cues"].to_pylist()], dtype=bool)
    if name == "cues":
        return np.array([text[:1] > "\0" for text in batch["text"].to_pylist()], dtype=bool)
    if name == "pictures":
        return np.array([jpeg[:1] > b"\0" for jpeg in batch["jpeg"].to_pylist()], dtype=bool)
    return are_possible(batch)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
