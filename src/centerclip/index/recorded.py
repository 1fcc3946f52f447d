"""When videos were recorded: the columns that hold it, which earlier indexes lack.

`recorded_seconds` is the time to use, whatever its source. A writer adds the columns to an earlier index,
with the time of modification and no source; the next run reads the files' own times. Until then, readers use
the time of modification.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from centerclip.index.changes import FileStamp
from centerclip.index.schema import schemas, stored_path
from centerclip.index.sql import Condition
from centerclip.records import Recorded, VideoInfo

__all__ = [
    "UNDATED",
    "add_columns",
    "dated_rows",
    "fitted",
    "readable",
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
