"""Read the tables of pictures and videos."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from centerclip.index.schema import StoredVideo, milliseconds, to_video
from centerclip.index.sql import Condition, equals

__all__ = ["count_of", "folders_of", "picture_at", "videos_of"]

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


def videos_of(videos: Any, only: Condition | None, offset: int, limit: int | None) -> list[StoredVideo]:
    """Return the files that meet a condition, ordered by path; None for all."""
    from lancedb.query import ColumnOrdering

    query = videos.search().offset(offset).limit(limit)
    query = query.order_by([ColumnOrdering(column_name="path", ascending=True)])
    if only is not None:
        query = query.where(only.sql)
    return [to_video(row) for row in query.to_arrow().to_pylist()]


def count_of(videos: Any, only: Condition | None) -> int:
    """Return how many files meet a condition; None for all."""
    return int(videos.count_rows(None if only is None else only.sql))


def folders_of(paths: Any) -> list[Path]:
    """Return the folders of absolute paths, an Arrow column, without a Python object per path."""
    import pyarrow.compute as pc

    last_part = rf"{_SEPARATOR}[^{_SEPARATOR}]*\z"
    folders = pc.unique(pc.replace_substring_regex(paths, pattern=last_part, replacement=""))
    return [Path(folder or os.sep) for folder in folders.to_pylist()]
