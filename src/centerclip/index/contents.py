"""What the tables hold, compared with each other and with what a writer has written.

The rule: a path has as many rows in `windows` as `videos` says, and they and its pictures belong to the
content that `videos` says (a failed or unknown path has none).

Everything is compared by column: a Python object per row would take 30 times the memory, which a server
doesn't get back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Contents", "Ledger", "inspect_tables", "side_by_side"]

_FILES = ["path", "video_id", "windows", "state", "reason", "duration_seconds"]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """The rows of `videos`, and the paths that break the rule."""

    files: pa.Table
    broken: set[str]


class Ledger:
    """How many windows each path has: what `videos` said at first, and what has been changed since."""

    def __init__(self, files: pa.Table) -> None:
        self._before = _counts(files)
        self._changed: dict[str, int | None] = {}

    def record(self, path: str, windows: int | None) -> None:
        """Note that a path now has this number of windows; None means that it was forgotten."""
        self._changed[path] = windows

    def count(self, path: str) -> int | None:
        """Return a path's number of windows; None if it isn't known."""
        if path in self._changed:
            return self._changed[path]
        at: int = pc.index(self._before["path"], path).as_py()
        return None if at < 0 else int(self._before["windows"][at].as_py())

    def known(self, paths: Iterable[str]) -> set[str]:
        """Return those of `paths` that are known."""
        wanted = set(paths)
        unchanged = pa.array(wanted - self._changed.keys(), pa.string())
        found = self._before["path"].filter(pc.is_in(self._before["path"], value_set=unchanged))
        return {path for path in wanted if self._changed.get(path) is not None} | set(found.to_pylist())

    def differing(self, files: pa.Table) -> set[str]:
        """Return the paths of which `videos` now says something else."""
        changed = pa.array(self._changed, pa.string())
        unchanged = self._before.filter(pc.invert(pc.is_in(self._before["path"], value_set=changed)))
        known = [(path, count) for path, count in self._changed.items() if count is not None]
        rows = [{"path": path, "windows": count} for path, count in known]
        expected = pa.concat_tables([unchanged, pa.Table.from_pylist(rows, schema=unchanged.schema)])
        return _differing(expected, _counts(files))


def inspect_tables(pictures: Any, windows: Any, videos: Any) -> Contents:
    """Read all three tables at the versions of these handles."""
    files, pictured, indexed = side_by_side(
        lambda: videos.search().select(_FILES).to_arrow(),
        lambda: _by_content(pictures),
        lambda: _by_content(windows),
    )
    expected = files.filter(pc.greater(files["windows"], 0)).select(["path", "video_id", "windows"])
    keys = ["path", "video_id"]
    wrong = _differing(expected.cast(indexed.schema), indexed)
    return Contents(files, wrong | _differing(expected.select(keys), pictured.select(keys)))


def _by_content(table: Any) -> pa.Table:
    """Return the number of rows of each path and content."""
    keys = ["path", "video_id"]
    counted = table.search().select(keys).to_arrow().group_by(keys).aggregate([([], "count_all")])
    schema = pa.schema({"path": pa.string(), "video_id": pa.string(), "windows": pa.int64()})
    return counted.select([*keys, "count_all"]).rename_columns(schema.names).cast(schema)


def _counts(files: pa.Table) -> pa.Table:
    schema = pa.schema({"path": pa.string(), "windows": pa.int64()})
    return files.select(schema.names).cast(schema)


def _differing(one: pa.Table, other: pa.Table) -> set[str]:
    """Return the paths of rows that only one of two tables has, which have the same columns."""
    only = [
        a.join(b, keys=one.column_names, join_type="left anti")["path"].to_pylist()
        for a, b in ((one, other), (other, one))
    ]
    return set(only[0]) | set(only[1])


def side_by_side(*calls: Callable[[], Any]) -> list[Any]:
    """Do all at once, because the store mostly waits for the disk; raise the first error once all ended."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.result() for future in futures]
