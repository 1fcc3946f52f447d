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

__all__ = ["Contents", "Ledger", "by_content", "differing_paths", "inspect_tables", "side_by_side"]

_FILES = ["path", "video_id", "windows", "state", "reason", "duration_seconds"]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """The table with a row per file, and the paths that break the rule."""

    files: pa.Table
    broken: set[str]

    @property
    def encoded(self) -> pa.Table:
        """The paths that are encoded, and the id of each one's content."""
        return self.files.filter(pc.equal(self.files["state"], "done")).select(["path", "video_id"])


class Ledger:
    """How many rows each path has: what a table said at first, and what has been changed since.

    Args:
        files: with the column `path`, and the column `counted` of whole numbers.
        counted: `windows` or `cues`.
    """

    def __init__(self, files: pa.Table, counted: str) -> None:
        self._schema = pa.schema({"path": pa.string(), counted: pa.int64()})
        self._counted = counted
        self._before = files.select(self._schema.names).cast(self._schema)
        self._changed: dict[str, int | None] = {}

    def record(self, path: str, rows: int | None) -> None:
        """Note that a path now has this number of rows; None means that it was forgotten."""
        self._changed[path] = rows

    def count(self, path: str) -> int | None:
        """Return a path's number of rows; None if it isn't known."""
        if path in self._changed:
            return self._changed[path]
        at: int = pc.index(self._before["path"], path).as_py()
        return None if at < 0 else int(self._before[self._counted][at].as_py())

    def known(self, paths: Iterable[str]) -> set[str]:
        """Return those of `paths` that are known."""
        wanted = set(paths)
        unchanged = pa.array(wanted - self._changed.keys(), pa.string())
        found = self._before["path"].filter(pc.is_in(self._before["path"], value_set=unchanged))
        return {path for path in wanted if self._changed.get(path) is not None} | set(found.to_pylist())

    def differing(self, files: pa.Table) -> set[str]:
        """Return the paths of which the table now says something else."""
        changed = pa.array(self._changed, pa.string())
        unchanged = self._before.filter(pc.invert(pc.is_in(self._before["path"], value_set=changed)))
        known = [(path, count) for path, count in self._changed.items() if count is not None]
        rows = [{"path": path, self._counted: count} for path, count in known]
        expected = pa.concat_tables([unchanged, pa.Table.from_pylist(rows, schema=self._schema)])
        return differing_paths(expected, files.select(self._schema.names).cast(self._schema))


def inspect_tables(pictures: Any, windows: Any, videos: Any) -> Contents:
    """Read all three tables at the versions of these handles."""
    files, pictured, indexed = side_by_side(
        lambda: videos.search().select(_FILES).to_arrow(),
        lambda: by_content(pictures),
        lambda: by_content(windows),
    )
    expected = files.filter(pc.greater(files["windows"], 0)).select(["path", "video_id", "windows"])
    keys = ["path", "video_id"]
    wrong = differing_paths(expected, indexed) | differing_paths(expected.select(keys), pictured.select(keys))
    return Contents(files, wrong)


def by_content(table: Any) -> pa.Table:
    """Return the number of rows of each path and content: the columns `path`, `video_id` and `rows`."""
    keys = ["path", "video_id"]
    counted = table.search().select(keys).to_arrow().group_by(keys).aggregate([([], "count_all")])
    return counted.select([*keys, "count_all"]).rename_columns([*keys, "rows"])


def differing_paths(one: pa.Table, other: pa.Table) -> set[str]:
    """Return the paths of rows that only one of two tables has.

    Args:
        one, other: the same kinds of columns in the same order, the path first.
    """
    other = other.rename_columns(one.column_names).cast(one.schema)
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
