"""The tables of an index, and how records become rows and rows records.

`windows` has one row a window, `videos` one row a path, `meta` key-value pairs. The columns that
describe a file stand in both tables, so that one condition works on either.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from centerclip.records import EncodedVideo, Failed, VideoInfo, Window

__all__ = [
    "META",
    "VIDEOS",
    "VIDEO_COLUMNS",
    "WINDOW_COLUMNS",
    "WINDOW_READ",
    "StoredVideo",
    "StoredWindow",
    "stored_path",
    "to_video",
    "to_windows",
    "video_rows",
    "window_rows",
    "windows_schema",
]

_INFO = [
    ("path", pa.string()),
    ("video_id", pa.string()),
    ("duration_seconds", pa.float64()),
    ("size_bytes", pa.int64()),
    ("modified_seconds", pa.float64()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("frame_rate", pa.float64()),
    ("codec", pa.string()),
]
_WINDOW = [("start_seconds", pa.float64()), ("end_seconds", pa.float64())]
_STATE = [
    ("state", pa.string()),
    ("reason", pa.string()),
    ("windows", pa.int64()),
    ("indexed_seconds", pa.float64()),
]

META = pa.schema([("key", pa.string()), ("value", pa.string())])
VIDEOS = pa.schema(_INFO + _STATE)

WINDOW_COLUMNS = tuple(name for name, _ in _INFO + _WINDOW)
"""What a condition on windows may use."""
VIDEO_COLUMNS = tuple(VIDEOS.names)
"""What a condition on videos may use."""
_DESCRIBED = ("path", "video_id", "duration_seconds", "start_seconds", "end_seconds")
WINDOW_READ = (*_DESCRIBED, "vector", "segments")
"""What makes a `StoredWindow`. Each further column costs a search of 1,000,000 windows 1 to 7 ms, however few
the rows."""


def windows_schema(embed_size: int) -> pa.Schema:
    """The table of windows: E float32 a vector, S * E float16 segments, S of the window's own."""
    arrays = [
        ("vector", pa.list_(pa.float32(), embed_size)),
        ("segments", pa.list_(pa.float16())),
        ("thumbnail", pa.binary()),
    ]
    return pa.schema(_INFO + _WINDOW + arrays)


@dataclass(frozen=True, slots=True, eq=False)
class StoredWindow:
    """A window as the index holds it, with its score where a search found it.

    `path`, `video_id` and `duration_seconds` are of its file; `vector` [E] and `segments` [S, E] are float32;
    `score` is the cosine to the query, NaN without one.
    """

    path: Path
    video_id: str
    duration_seconds: float
    window: Window
    vector: NDArray[np.float32]
    segments: NDArray[np.float32]
    score: float = float("nan")


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A file as the index knows it: `info` describes it (a failed one only by path, size and time)."""

    info: VideoInfo
    state: Literal["done", "failed"]
    reason: str
    windows: int
    indexed_seconds: float
    """When it was recorded, seconds since the epoch."""


def stored_path(path: str | Path) -> str:
    """The form of a path that rows carry: absolute, links kept; bytes that are no UTF-8 become U+FFFD."""
    return os.fsencode(os.path.abspath(path)).decode("utf-8", "replace")


def window_rows(videos: Sequence[EncodedVideo], embed_size: int) -> pa.Table:
    """The rows of all windows of `videos`."""
    pairs = [(video.info, encoded) for video in videos for encoded in video.windows]
    columns = _info_columns([info for info, _ in pairs])
    columns["start_seconds"] = [encoded.window.start_seconds for _, encoded in pairs]
    columns["end_seconds"] = [encoded.window.end_seconds for _, encoded in pairs]
    columns["vector"] = [encoded.vector.astype(np.float32, copy=False) for _, encoded in pairs]
    columns["segments"] = [encoded.segments.astype(np.float16).ravel() for _, encoded in pairs]
    columns["thumbnail"] = [encoded.pictures[0][1] for _, encoded in pairs]
    return pa.table(columns, schema=windows_schema(embed_size))


def video_rows(results: Sequence[EncodedVideo | Failed]) -> pa.Table:
    """The rows of the table of videos, one a result, with the present time."""
    columns = _info_columns([_describe(result) for result in results])
    columns["state"] = ["failed" if isinstance(result, Failed) else "done" for result in results]
    columns["reason"] = [result.reason if isinstance(result, Failed) else "" for result in results]
    columns["windows"] = [0 if isinstance(result, Failed) else len(result.windows) for result in results]
    columns["indexed_seconds"] = [time.time()] * len(results)
    return pa.table(columns, schema=VIDEOS)


def to_windows(table: pa.Table, scores: Sequence[float] | None = None) -> list[StoredWindow]:
    """The windows of a table that has the columns `WINDOW_READ`, in its order."""
    described = table.select(list(_DESCRIBED)).to_pylist()
    vectors = table["vector"].combine_chunks()
    embed_size = vectors.type.list_size
    matrix = vectors.flatten().to_numpy().reshape(-1, embed_size)
    segments = table["segments"].combine_chunks()
    offsets = segments.offsets.to_numpy()
    values = segments.values.to_numpy().astype(np.float32)
    found = []
    for at, row in enumerate(described):
        parts = values[offsets[at] : offsets[at + 1]].reshape(-1, embed_size)  # [S, E]
        score = float("nan") if scores is None else scores[at]
        found.append(
            StoredWindow(
                path=Path(row["path"]),
                video_id=row["video_id"],
                duration_seconds=row["duration_seconds"],
                window=Window(row["start_seconds"], row["end_seconds"]),
                vector=matrix[at],
                segments=parts,
                score=score,
            )
        )
    return found


def to_video(row: dict[str, Any]) -> StoredVideo:
    return StoredVideo(_info(row), row["state"], row["reason"], row["windows"], row["indexed_seconds"])


def _describe(result: EncodedVideo | Failed) -> VideoInfo:
    """What is known of a file; of a failed one its size and time, so that a change of it is noticed."""
    if isinstance(result, EncodedVideo):
        return result.info
    try:
        stat = os.stat(result.path)
        size_bytes, modified_seconds = stat.st_size, stat.st_mtime
    except OSError:
        size_bytes, modified_seconds = 0, 0.0
    return VideoInfo(result.path, "", 0.0, 0, 0, 0.0, "", size_bytes, modified_seconds)


def _info_columns(infos: Sequence[VideoInfo]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [getattr(info, name) for info in infos] for name, _ in _INFO}
    columns["path"] = [stored_path(info.path) for info in infos]
    return columns


def _info(row: dict[str, Any]) -> VideoInfo:
    values = {name: row[name] for name, _ in _INFO}
    return VideoInfo(**{**values, "path": Path(row["path"])})
