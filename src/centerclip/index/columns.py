"""The columns of windows and videos that conditions can use. Imports nothing heavy, unlike `schema`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["FILE_COLUMNS", "STATE_COLUMNS", "TIME_COLUMNS", "VIDEO_COLUMNS", "WINDOW_COLUMNS", "Column"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and the store's type of its values.

    `is_instant` says that the values are seconds since the epoch, which conditions may write as dates.
    """

    name: str
    type: Literal["string", "int32", "int64", "float64"]
    is_instant: bool = False

    @property
    def largest(self) -> int:
        """The largest value of a column of whole numbers."""
        return int(2 ** (int(self.type.removeprefix("int")) - 1) - 1)


FILE_COLUMNS = (
    Column("path", "string"),
    Column("video_id", "string"),
    Column("duration_seconds", "float64"),
    Column("size_bytes", "int64"),
    Column("modified_seconds", "float64", is_instant=True),
    Column("width", "int32"),
    Column("height", "int32"),
    Column("frame_rate", "float64"),
    Column("codec", "string"),
    Column("recorded_seconds", "float64", is_instant=True),
)
TIME_COLUMNS = (Column("start_ms", "int64"), Column("end_ms", "int64"))
STATE_COLUMNS = (
    Column("state", "string"),
    Column("reason", "string"),
    Column("windows", "int64"),
    Column("indexed_seconds", "float64", is_instant=True),
    Column("recorded_source", "string"),
    Column("recorded_zone", "int32"),
)


def _called(columns: tuple[Column, ...]) -> Mapping[str, Column]:
    return {_SHORT.get(column.name, column.name): column for column in columns}


_SHORT = {"recorded_seconds": "recorded"}
"""What people call a column in conditions, if it isn't its name."""
WINDOW_COLUMNS = _called(FILE_COLUMNS + TIME_COLUMNS)
"""What conditions on windows can use."""
VIDEO_COLUMNS = _called(FILE_COLUMNS + STATE_COLUMNS)
"""What conditions on videos can use."""
