"""Read the tables of pictures and videos."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias

import numpy as np

from centerclip.index.changing import end_of, since
from centerclip.index.conditions import instant
from centerclip.index.recorded import fitted, readable
from centerclip.index.schema import StoredVideo, milliseconds, to_video
from centerclip.index.sql import Condition, equals
from centerclip.remote import as_place

__all__ = ["Folders", "VideoSort", "months_of", "paths_below", "picture_at", "videos_of"]

VideoSort: TypeAlias = Literal["path", "date", "oldest"]
"""The order of files: by path, or by when they were recorded, newest or oldest first."""
_FIRST_SECONDS, _LAST_SECONDS = -5e9, 2.4e11
"""The years 1811 and 9575, so that each time is a date; files may claim any time of modification."""
_SEPARATOR = re.escape(os.sep)


def picture_at(pictures: Any, video_id: str, seconds: float) -> bytes | None:
    """Return the JPEG file of the picture that a content shows at an instant; None for unknown content."""
    query = pictures.search().where(equals("video_id", video_id).sql).select(["start_ms"]).with_row_id(True)
    rows = query.to_arrow().sort_by("start_ms")
    if not rows.num_rows:
        return None
    after = np.searchsorted(rows["start_ms"].to_numpy(), milliseconds(seconds), side="right")
    row_id = rows["_rowid"][max(int(after) - 1, 0)].as_py()
    jpeg: bytes = pictures.take_row_ids([row_id]).select(["jpeg"]).to_arrow()["jpeg"][0].as_py()
    return jpeg


def videos_of(
    videos: Any, only: Condition | None, offset: int, limit: int | None, sort: VideoSort = "path"
) -> list[StoredVideo]:
    """Return the files that meet a condition, None for all; equal ones are ordered by path."""
    from lancedb.query import ColumnOrdering

    order = [ColumnOrdering(column_name="path", ascending=True)]
    if sort != "path":
        (recorded,) = readable(videos, ["recorded_seconds"])
        order.insert(0, ColumnOrdering(column_name=recorded, ascending=sort == "oldest"))
    query = videos.search().offset(offset).limit(limit).order_by(order)
    if only is not None:
        query = query.where(fitted(videos, only))
    return [to_video(row) for row in query.to_arrow().to_pylist()]


def months_of(videos: Any) -> list[tuple[date, int, float]]:
    """Return the first day of each month in which videos were recorded, by this machine's clocks.

    With it, the number of videos and their total seconds; in order of time, computed by columns.
    """
    (recorded,) = readable(videos, ["recorded_seconds"])
    rows = videos.search().where("state = 'done'").select([recorded, "duration_seconds"]).to_arrow()
    seconds = np.clip(np.nan_to_num(rows[recorded].to_numpy()), _FIRST_SECONDS, _LAST_SECONDS)
    order = np.argsort(seconds)
    seconds, lengths = seconds[order], rows["duration_seconds"].to_numpy()[order]
    # By UTC, a video may belong to a month before or after its own.
    by_utc = np.unique(seconds.astype("datetime64[s]").astype("datetime64[M]"))
    nearby = np.unique(by_utc[:, None] + np.arange(-1, 3))
    days = [month.astype("datetime64[D]").item() for month in nearby]
    bounds = np.searchsorted(seconds, [instant(day.isoformat()) for day in days])
    sums = np.concatenate([[0.0], np.cumsum(lengths)])
    found = zip(days, pairwise(bounds.tolist()), strict=False)
    return [(day, end - start, float(sums[end] - sums[start])) for day, (start, end) in found if end > start]


def paths_below(paths: Any, places: Iterable[str]) -> list[Path]:
    """Return those of some absolute paths, an Arrow column, that are among places or below them; sorted."""
    import pyarrow.compute as pc

    found: set[str] = set()
    for place in places:
        inside = pc.starts_with(paths, pattern=os.path.join(place, ""))
        found.update(paths.filter(pc.or_(inside, pc.equal(paths, place))).to_pylist())
    return [as_place(path) for path in sorted(found)]


class Folders:
    """The folders that contain files of an index; safe to use from many threads.

    From one version of the table of videos to the next, only new rows are read, unless others are gone.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._index = ""
        self._rows = self._end = 0
        self._found: set[str] = set()

    def read(self, index: str, videos: Any) -> list[Path]:
        """Return the folders, in no particular order.

        Args:
            index: the id of the index.
            videos: a handle.
        """
        with self._lock:
            rows, end = videos.count_rows(), self._end if index == self._index else 0
            new = videos.search().where(since(end)).select(["path"]).to_arrow()
            if not end or self._rows + new.num_rows != rows:
                new, self._found = videos.search().select(["path"]).to_arrow(), set()
            self._found |= _folders_of(new["path"])
            self._index, self._rows, self._end = index, rows, end_of(videos)
            return [as_place(folder) for folder in self._found]


def _folders_of(paths: Any) -> set[str]:
    """Return the folders of absolute paths, an Arrow column, without a Python object per path."""
    import pyarrow.compute as pc

    last_part = rf"{_SEPARATOR}[^{_SEPARATOR}]*\z"
    folders = pc.unique(pc.replace_substring_regex(paths, pattern=last_part, replacement=""))
    return {folder or os.sep for folder in folders.to_pylist()}
