"""Indexes of made-up windows, filled in bulk: through the writer it would take a Python object per window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from centerclip.index import FileStamp, VideoIndex
from centerclip.index.packing import pack
from centerclip.index.schema import stored_path
from centerclip.index.store import Store
from centerclip.lab.bench.collection import WINDOWS_PER_VIDEO, Collection
from centerclip.records import EncodedVideo, EncodedWindow, VideoInfo, Window

__all__ = ["WINDOW_MS", "fill", "made_up_stamp", "made_up_video"]

WINDOW_MS = 12_000


def fill(index: VideoIndex, made: Collection, *, per_video: int = WINDOWS_PER_VIDEO) -> None:
    """Write all windows of a collection into an empty index, as videos of `per_video` windows."""
    store = Store(index.location)
    tables = {name: store.newest(name) for name in ("windows", "pictures", "videos")}
    schema = tables["windows"].schema

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for block in made.blocks():
            yield from _window_rows(start, block, schema, per_video).to_batches()
            start += len(block)

    tables["windows"].add(pa.RecordBatchReader.from_batches(schema, batches()))
    counts = [min(per_video, made.windows - at) for at in range(0, made.windows, per_video)]
    videos = np.arange(len(counts))
    files = _file_columns(videos)
    columns = files | {
        "state": ["done"] * len(counts),
        "reason": [""] * len(counts),
        "windows": counts,
        "indexed_seconds": [0.0] * len(counts),
        "recorded_source": [None] * len(counts),
        "recorded_zone": [None] * len(counts),
    }
    pictures = {name: files[name] for name in ("path", "video_id")}
    pictures |= {"start_ms": [0] * len(counts), "jpeg": [b""] * len(counts)}
    tables["pictures"].add(pa.table(pictures, schema=tables["pictures"].schema))
    tables["videos"].add(pa.table(columns, schema=tables["videos"].schema))
    store.commit(checked=True)


def _window_rows(start: int, block: NDArray[np.float32], schema: pa.Schema, per_video: int) -> pa.Table:
    numbers = np.arange(start, start + len(block))
    files = _file_columns(numbers // per_video)
    begins = (numbers % per_video) * WINDOW_MS
    offsets = pa.array(np.arange(len(block) + 1, dtype=np.int32))
    bounds = np.stack([begins, begins + WINDOW_MS], 1).ravel()
    arrays = {
        "start_ms": begins,
        "end_ms": begins + WINDOW_MS,
        "bounds_ms": pa.ListArray.from_arrays(
            pa.array(2 * offsets.to_numpy()), pa.array(bounds.astype(np.int64))
        ),
    }
    return pa.table(files | arrays | pack(block, block, [1] * len(block), schema), schema=schema)


def _file_columns(numbers: NDArray[np.int64]) -> dict[str, Any]:
    listed = numbers.tolist()
    count = len(listed)
    return {
        "path": [stored_path(_path(number)) for number in listed],
        "video_id": [f"{number:032x}" for number in listed],
        "duration_seconds": [WINDOWS_PER_VIDEO * WINDOW_MS / 1000] * count,
        "size_bytes": [10_000_000 + number for number in listed],
        "modified_seconds": [float(number) for number in listed],
        "width": [640] * count,
        "height": [360] * count,
        "frame_rate": [25.0] * count,
        "codec": ["h264"] * count,
        "recorded_seconds": [float(number) for number in listed],
    }


def made_up_stamp(number: int) -> FileStamp:
    """Return the stamp of a video of an index that `fill` has filled."""
    return FileStamp(Path(_path(number)), 10_000_000 + number, float(number))


def made_up_video(number: int, vectors: NDArray[np.float32]) -> EncodedVideo:
    """Return a video with these windows [N, E]."""
    described = {name: values[0] for name, values in _file_columns(np.array([number])).items()}
    described.pop("recorded_seconds")
    info = VideoInfo(**{**described, "path": Path(described["path"])})
    windows = []
    for at, vector in enumerate(vectors):
        window = Window(at * WINDOW_MS / 1000, (at + 1) * WINDOW_MS / 1000)
        bounds = np.array([window.start_seconds, window.end_seconds])
        pictures = ((0.0, b""),) if at == 0 else ()
        windows.append(EncodedWindow(window, vector, vector[None], bounds, pictures))
    return EncodedVideo(info, tuple(windows))


def _path(number: int) -> str:
    return f"/videos/{number // 1000}/{number:08d}.mp4"
