"""What the tables hold, compared with each other and with what a writer has written.

The rule: a path has as many rows in `windows` as `videos` says, and they and its pictures belong to the
content that `videos` says (a failed or unknown path has none).

Everything is compared by column: a Python object per row would take 30 times the memory, which a server
doesn't get back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from centerclip.index.changing import conditions, end_of, since

__all__ = ["Contents", "Ledger", "by_content", "differing_paths", "inspect_tables", "side_by_side"]

_COUNTED = {"videos": "windows", "transcripts": "cues"}
"""The column in which a table with a row per path counts the path's rows in another one."""
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
    """How many rows each path has: what a table says, and what has been recorded since this was made.

    Args:
        files: a writer's handle of the table with a row per path, in which a column counts the path's rows.
        rows: that of the table of those rows.
        more: those of other tables with rows of the same paths.
        keep: whether to read all paths at once, when they are first needed; or only those that are needed,
            each time.
    """

    def __init__(self, files: Any, rows: Any, *more: Any, keep: bool) -> None:
        self._files = files
        self._counted = _COUNTED[files.name]
        self._keep = keep
        self._before: pa.Table | None = None
        self._changed: dict[str, int | None] = {}
        self._begun: set[str] = set()
        self._ends = {table.name: end_of(table) for table in (files, rows, *more)}

    @property
    def unfinished(self) -> bool:
        """Whether a change has failed, so that tables may contradict each other."""
        return bool(self._begun)

    def begin(self, paths: Iterable[str]) -> None:
        """Note that the rows of paths are about to change, until `record` says how."""
        self._begun.update(paths)

    def record(self, path: str, rows: int | None) -> None:
        """Note that a path now has this number of rows; None means that it was forgotten."""
        self._changed[path] = rows
        self._begun.discard(path)

    def count(self, path: str) -> int | None:
        """Return a path's number of rows; None if it isn't known."""
        return self.counts([path]).get(path)

    def counts(self, paths: Iterable[str]) -> dict[str, int]:
        """Return the number of rows of those of `paths` that are known."""
        wanted = set(paths)
        found = {path: rows for path in wanted if (rows := self._changed.get(path)) is not None}
        for rows in self._read(sorted(wanted - self._changed.keys())):
            found |= zip(rows["path"].to_pylist(), rows[self._counted].to_pylist(), strict=True)
        return found

    def known(self, paths: Iterable[str]) -> list[str]:
        """Return those of `paths`, sorted, that are known or that a failed change may have left rows of."""
        wanted = set(paths)
        return sorted(self.counts(wanted).keys() | (self._begun & wanted))

    def differing(self, files: pa.Table) -> set[str]:
        """Return the recorded paths of which the table now says something else."""
        rows = files.select(["path", self._counted])
        return differing_paths(self._expected(), _only(rows, self._changed))

    def holds(self, files: Any, rows: Any, *more: Any) -> bool:
        """Whether tables have what was recorded, and as many rows as they say.

        It reads a column of numbers of `files`, and otherwise only rows that are new.

        Args:
            files, rows, more: what a new reader sees of the tables.
        """
        keys, counted = ["path", "video_id"], self._counted
        counts = files.search().select([counted]).to_arrow()[counted]
        if self.unfinished or rows.count_rows() != (pc.sum(counts).as_py() or 0):
            return False
        if not self._changed:
            return True
        new = files.search().where(since(self._ends[files.name])).select([*keys, counted]).to_arrow()
        new = _only(new, self._changed)
        filled = new.filter(pc.greater(new[counted], 0))
        found = [_only(by_content(table, self._ends[table.name]), self._changed) for table in (rows, *more)]
        return not (
            differing_paths(self._expected(), new.select(["path", counted]))
            or differing_paths(filled, found[0])
            or any(differing_paths(filled.select(keys), other.select(keys)) for other in found[1:])
        )

    def _expected(self) -> pa.Table:
        known = [(path, count) for path, count in self._changed.items() if count is not None]
        schema = pa.schema({"path": pa.string(), self._counted: pa.int64()})
        return pa.Table.from_pylist([{"path": path, self._counted: rows} for path, rows in known], schema)

    def _read(self, paths: Sequence[str]) -> Iterator[pa.Table]:
        """Yield what the table of files said about paths when this was made."""
        columns = ["path", self._counted]
        if not self._keep:
            for condition in conditions(paths):
                yield self._files.search().where(condition).select(columns).to_arrow()
        elif paths:
            if self._before is None:
                self._before = self._files.search().select(columns).to_arrow()
            yield _only(self._before, paths)


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


def by_content(table: Any, end: int = 0) -> pa.Table:
    """Return the number of rows of each path and content: the columns `path`, `video_id` and `rows`.

    Args:
        table: a handle.
        end: count only rows that are newer; see `end_of`.
    """
    keys = ["path", "video_id"]
    query = table.search().select(keys)
    rows = (query.where(since(end)) if end else query).to_arrow()
    counted = rows.group_by(keys).aggregate([([], "count_all")])
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


def _only(rows: pa.Table, paths: Iterable[str]) -> pa.Table:
    """Return the rows of some paths."""
    return rows.filter(pc.is_in(rows["path"], value_set=pa.array(paths, pa.string())))


def side_by_side(*calls: Callable[[], Any]) -> list[Any]:
    """Do all at once, because the store mostly waits for the disk; raise the first error once all ended."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.result() for future in futures]
