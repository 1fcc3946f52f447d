"""The tables of an index, and the conversion between records and rows.

`windows` has one row per window, `pictures` one per picture, `videos` one per path, `cues` one per cue,
`transcripts` one per path whose words were looked for, `meta` one per property of the index. `windows`,
`videos` and `cues` share the columns that describe a file, so that conditions work on all of them. Times are
integer milliseconds, because merging by a float key can duplicate rows (lance 4585).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from centerclip.index.columns import FILE_COLUMNS, STATE_COLUMNS, TIME_COLUMNS
from centerclip.index.head import FORMAT
from centerclip.index.packing import pack, packed_types, unpack
from centerclip.records import EncodedVideo, Failed, Recorded, VideoInfo, Window
from centerclip.remote import as_place, is_address

__all__ = [
    "ADDED",
    "KEYS",
    "WINDOW_READ",
    "StoredVideo",
    "StoredWindow",
    "file_columns",
    "is_storable",
    "milliseconds",
    "picture_rows",
    "schemas",
    "stored_path",
    "to_video",
    "to_windows",
    "video_rows",
    "window_rows",
]

KEYS = {
    "windows": ["path", "start_ms"],
    "pictures": ["path", "start_ms"],
    "videos": ["path"],
    "cues": ["path", "source", "start_ms"],
    "transcripts": ["path"],
    "meta": ["key"],
}
"""The tables and their primary keys, which identify rows to merge."""
ADDED = frozenset({"cues", "transcripts"})
"""Tables that an index made by an earlier version lacks, until a writer adds them."""
_ARRAYS = ("vector", "segments", "bounds_ms")
WINDOW_READ = ("path", "video_id", "duration_seconds", "recorded_seconds", "start_ms", "end_ms", *_ARRAYS)
"""The columns of a `StoredWindow`. Each further column adds 1 to 7 ms to a search of 1,000,000 windows, even
if few are found."""


def schemas(embed_size: int, format: int = FORMAT) -> dict[str, pa.Schema]:
    """Return the schema of each table, with its primary key marked for the store.

    A window has its vector and its S segments (see `packing`), and their S + 1 bounds.
    """
    files = {column.name: column.type for column in FILE_COLUMNS}
    times = {column.name: column.type for column in TIME_COLUMNS}
    states = {column.name: column.type for column in STATE_COLUMNS}
    arrays = packed_types(embed_size, format) | {"bounds_ms": pa.list_(pa.int64())}
    tables: dict[str, dict[str, Any]] = {
        "windows": files | times | arrays,
        "pictures": {"path": "string", "video_id": "string", "start_ms": "int64", "jpeg": pa.binary()},
        "videos": files | states,
        "cues": files | times | dict.fromkeys(("text", "language", "source"), "string"),
        "transcripts": dict.fromkeys(("path", "video_id", "stamp", "model"), "string")
        | {"cues": "int64", "problems": "string"},
        "meta": {"key": "string", "value": "string"},
    }
    return {
        table: pa.schema([_field(keys, name, kind) for name, kind in tables[table].items()])
        for table, keys in KEYS.items()
    }


def _field(keys: Sequence[str], name: str, kind: pa.DataType | str) -> pa.Field:
    if name not in keys:
        return pa.field(name, kind)
    mark = "lance-schema:unenforced-primary-key"
    position = str(keys.index(name) + 1)
    return pa.field(name, kind, nullable=False, metadata={mark: "true", f"{mark}:position": position})


@dataclass(frozen=True, slots=True, eq=False)
class StoredWindow:
    """A window as stored in the index.

    `path`, `video_id`, `duration_seconds` and `recorded_seconds` are its file's. `vector` [E] and `segments`
    [S, E] are float32. `bounds` [S + 1] float64 are seconds in the file: segment s lasts from `bounds[s]` to
    `bounds[s + 1]`.
    `score` is the cosine with the query if it comes from a search, otherwise NaN.
    """

    path: Path
    video_id: str
    duration_seconds: float
    window: Window
    vector: NDArray[np.float32]
    segments: NDArray[np.float32]
    bounds: NDArray[np.float64]
    score: float = float("nan")
    recorded_seconds: float = float("nan")


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A file in the index; of a failed one, `info` has only path, size and time.

    `indexed_seconds` is when it was recorded, in seconds since the epoch.
    """

    info: VideoInfo
    state: Literal["done", "failed"]
    reason: str
    windows: int
    indexed_seconds: float


def stored_path(path: str | Path) -> str:
    r"""Return a path as rows store it: absolute, links unresolved; bytes that aren't UTF-8 as \xff."""
    place = as_place(path)
    text = str(place) if is_address(place) else os.path.abspath(path)
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def is_storable(path: str | Path) -> bool:
    """Whether a path is valid UTF-8, so that the stored path opens the file."""
    place = as_place(path)
    return stored_path(place) == (str(place) if is_address(place) else os.path.abspath(path))


def milliseconds(seconds: float) -> int:
    """Return a time as rows store it."""
    return round(seconds * 1000)


def window_rows(videos: Sequence[EncodedVideo], schema: pa.Schema) -> pa.Table:
    """Return one row per window, for a table of this schema."""
    pairs = [(video.info, encoded) for video in videos for encoded in video.windows]
    columns = file_columns([info for info, _ in pairs])
    columns["start_ms"] = [milliseconds(encoded.window.start_seconds) for _, encoded in pairs]
    columns["end_ms"] = [milliseconds(encoded.window.end_seconds) for _, encoded in pairs]
    columns["bounds_ms"] = [[milliseconds(bound) for bound in encoded.bounds] for _, encoded in pairs]
    nothing = np.empty((0, schema.field("vector").type.list_size), np.float32)
    vectors = np.concatenate([nothing, *(encoded.vector[None] for _, encoded in pairs)])  # [N, E]
    segments = np.concatenate([nothing, *(encoded.segments for _, encoded in pairs)])  # [N * S, E]
    counts = [len(encoded.segments) for _, encoded in pairs]
    return pa.table(columns | pack(vectors, segments, counts, schema), schema=schema)


def picture_rows(videos: Sequence[EncodedVideo]) -> pa.Table:
    """Return one row per picture; of several in the same millisecond, the last."""
    rows = []
    for video in videos:
        pictures = {milliseconds(at): jpeg for encoded in video.windows for at, jpeg in encoded.pictures}
        file = {"path": stored_path(video.info.path), "video_id": video.info.video_id}
        rows += [{**file, "start_ms": start, "jpeg": jpeg} for start, jpeg in pictures.items()]
    return pa.Table.from_pylist(rows, schema=schemas(0)["pictures"])


def video_rows(results: Sequence[EncodedVideo | Failed]) -> pa.Table:
    """Return one row per file, with the current time."""
    infos = [_describe(result) for result in results]
    columns = file_columns(infos)
    columns["state"] = ["failed" if isinstance(result, Failed) else "done" for result in results]
    columns["reason"] = [result.reason if isinstance(result, Failed) else "" for result in results]
    columns["windows"] = [0 if isinstance(result, Failed) else len(result.windows) for result in results]
    columns["indexed_seconds"] = [time.time()] * len(results)
    columns["recorded_source"] = [info.recorded_source for info in infos]
    columns["recorded_zone"] = [info.recorded_zone for info in infos]
    return pa.table(columns, schema=schemas(0)["videos"])


def to_windows(table: pa.Table, scores: Sequence[float] | None = None) -> list[StoredWindow]:
    """Convert a table with the columns `WINDOW_READ`, as `readable` returns them."""
    described = table.select([name for name in table.column_names if name not in _ARRAYS]).to_pylist()
    vectors, segments = unpack(table)
    lists = table["bounds_ms"].combine_chunks()
    bounds, ends = lists.values.to_numpy() / 1000, pairwise(lists.offsets.to_numpy())
    return [
        StoredWindow(
            path=as_place(row["path"]),
            video_id=row["video_id"],
            duration_seconds=row["duration_seconds"],
            recorded_seconds=row.get("recorded_seconds", row.get("modified_seconds")) or 0.0,
            window=Window(row["start_ms"] / 1000, row["end_ms"] / 1000),
            vector=vectors[at],
            segments=segments[at],
            bounds=bounds[start:end],
            score=float("nan") if scores is None else scores[at],
        )
        for at, (row, (start, end)) in enumerate(zip(described, ends, strict=True))
    ]


def to_video(row: dict[str, Any]) -> StoredVideo:
    """Convert a row of the table of videos; one of an earlier version has no time of its own."""
    known = {column.name: row[column.name] for column in FILE_COLUMNS if column.name != "recorded_seconds"}
    recorded = None
    if row.get("recorded_source") == "container":
        recorded = Recorded(row["recorded_seconds"], row["recorded_zone"])
    info = VideoInfo(**{**known, "path": as_place(row["path"])}, recorded=recorded)
    return StoredVideo(info, row["state"], row["reason"], row["windows"], row["indexed_seconds"])


def _describe(result: EncodedVideo | Failed) -> VideoInfo:
    """Return what is known about a file; of a failed one size and time, so that changes are noticed."""
    if isinstance(result, EncodedVideo):
        return result.info
    stamp = result.stamp
    if stamp is None:
        try:
            stat = as_place(result.path).stat()
            stamp = stat.st_size, stat.st_mtime
        except OSError:
            stamp = 0, 0.0
    return VideoInfo(result.path, "", 0.0, 0, 0, 0.0, "", *stamp)


def file_columns(infos: Sequence[VideoInfo]) -> dict[str, list[Any]]:
    """Return the columns that describe files."""
    columns: dict[str, list[Any]] = {
        column.name: [getattr(info, column.name) for info in infos] for column in FILE_COLUMNS
    }
    columns["path"] = [stored_path(info.path) for info in infos]
    return columns
