"""When videos were recorded: the columns that hold it, which earlier indexes lack, and conditions on it.

`recorded_seconds` is the time to use, whatever its source. A writer adds the columns to an earlier index,
with the time of modification and no source; the next run reads the files' own times. Until then, readers use
the time of modification.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from centerclip.errors import QueryError
from centerclip.index.changes import FileStamp
from centerclip.index.conditions import instant
from centerclip.index.schema import schemas, stored_path
from centerclip.index.sql import Condition, all_of, compare
from centerclip.records import Recorded, VideoInfo

__all__ = [
    "UNDATED",
    "add_columns",
    "dated_rows",
    "fitted",
    "readable",
    "recorded_between",
]

UNDATED = "recorded_source IS NULL AND state = 'done'"
"""Files that no run has read the time of yet."""

_EARLIER = {
    "recorded_seconds": "modified_seconds",
    "recorded_source": "cast(NULL AS string)",
    "recorded_zone": "cast(NULL AS int)",
}
"""What stands for the columns in an index without them, as SQL."""
_OF_TABLE = {"windows": ("recorded_seconds",), "videos": tuple(_EARLIER)}
_DAY_LETTERS = 10
"""A longer text also has a time of day."""


def add_columns(table: Any) -> bool:
    """Give a table of an earlier version its columns, in one commit; return whether it lacked any."""
    lacking = {name: _EARLIER[name] for name in _OF_TABLE[table.name] if name not in table.schema.names}
    if lacking:
        table.add_columns(lacking)
    return bool(lacking)


def readable(table: Any, columns: Sequence[str]) -> list[str]:
    """Return the columns to read from a table; of an earlier one, `modified_seconds` for the time."""
    here = set(table.schema.names)
    return list(dict.fromkeys(name if name in here else _EARLIER[name] for name in columns))


def fitted(table: Any, only: Condition | None) -> str | None:
    """Return a condition's SQL for a table, in which the columns that it lacks are replaced."""
    if only is None:
        return None
    # Literals are the parts between single quotes, where a quote is written twice.
    parts = only.sql.split("'")
    for name in _OF_TABLE[table.name]:
        if name not in table.schema.names:
            parts[::2] = [part.replace(name, _EARLIER[name]) for part in parts[::2]]
    return "'".join(parts)


def dated_rows(found: Iterable[tuple[FileStamp, Recorded | None]]) -> tuple[pa.Table, pa.Table]:
    """Return rows of `windows` and of `videos` with the times of files and nothing else."""
    columns: dict[str, list[Any]] = {name: [] for name in ("path", *_EARLIER)}
    for file, recorded in found:
        info = VideoInfo(
            file.path, "", 0.0, 0, 0, 0.0, "", file.size_bytes, file.modified_seconds, recorded=recorded
        )
        columns["path"].append(stored_path(file.path))
        for name in _EARLIER:
            columns[name].append(getattr(info, name))
    schema = schemas(0)["videos"]
    rows = pa.table(columns, schema=pa.schema([schema.field(name) for name in columns]))
    return rows.select(["path", "recorded_seconds"]), rows


def recorded_between(after: str = "", before: str = "") -> Condition | None:
    """Return the condition that a video was recorded in a span; None without limits.

    Args:
        after, before: a day, or a date and time, in ISO 8601 and in this machine's time zone unless it names
            one. Both are inclusive: a day counts from its first instant, or to its last.

    Raises:
        QueryError: not a date.
    """
    first = compare("recorded_seconds", ">=", _instant("after", after)) if after.strip() else None
    return all_of(first, _until(before.strip()) if before.strip() else None)


def _until(text: str) -> Condition | None:
    last = _instant("before", text)
    if len(text) > _DAY_LETTERS:
        return compare("recorded_seconds", "<=", last)
    day = date.fromisoformat(text)
    if day == date.max:
        return None  # no later day can be written
    return compare("recorded_seconds", "<", _instant("before", (day + timedelta(days=1)).isoformat()))


def _instant(name: str, text: str) -> float:
    try:
        return instant(text)
    except ValueError:
        raise QueryError(f"{name}={text!r} isn't a date: write it like 2026-05-31") from None
