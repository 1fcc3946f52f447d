"""What the tables hold, compared with each other.

The rule: a path has as many rows in `windows` as `videos` says, and they and its pictures belong to the
content that `videos` says (a failed or unknown path has none).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

__all__ = ["Contents", "by_content", "inspect_tables", "side_by_side"]


@dataclass(frozen=True, slots=True)
class Contents:
    """The rows of `videos`, each path's number of windows by them, and the paths that break the rule."""

    files: list[dict[str, Any]]
    counts: dict[str, int]
    broken: set[str]

    @property
    def encoded(self) -> dict[str, str]:
        """The id of each encoded path's content."""
        return {row["path"]: row["video_id"] for row in self.files if row["state"] == "done"}


def inspect_tables(pictures: Any, windows: Any, videos: Any) -> Contents:
    """Read all three tables at the versions of these handles."""
    columns = ["path", "video_id", "windows", "state", "reason", "duration_seconds"]
    files, pictured, indexed = side_by_side(
        lambda: videos.search().select(columns).to_arrow().to_pylist(),
        lambda: by_content(pictures),
        lambda: by_content(windows),
    )
    expected = {(row["path"], row["video_id"]): row["windows"] for row in files if row["windows"]}
    wrong = {key for key, _ in expected.items() ^ indexed.items()} | (expected.keys() ^ pictured.keys())
    return Contents(files, {row["path"]: row["windows"] for row in files}, {path for path, _ in wrong})


def by_content(table: Any) -> dict[tuple[str, str], int]:
    """Return the number of rows of each path and content."""
    keys = ["path", "video_id"]
    grouped = table.search().select(keys).to_arrow().group_by(keys).aggregate([([], "count_all")])
    return {(row["path"], row["video_id"]): row["count_all"] for row in grouped.to_pylist()}


def side_by_side(*calls: Callable[[], Any]) -> list[Any]:
    """Do all at once, because the store mostly waits for the disk; raise the first error once all ended."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.result() for future in futures]
