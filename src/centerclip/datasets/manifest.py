"""Your own videos and captions in a table: CSV with a header, JSON lines or Parquet.

Each row has the columns `path` and `caption`, and optionally `start` and `end` (seconds) and `split`; other
columns are ignored. Rows with the same path, start and end are captions of one video. If the table is named
`manifest.csv`, `manifest.jsonl` or `manifest.parquet`, its folder can be given instead.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from centerclip.datasets.annotations import find_annotation, read_rows, read_text
from centerclip.datasets.spec import Annotations, DatasetSpec
from centerclip.errors import DatasetError
from centerclip.records import Item

__all__ = ["DATASET"]

_ALL = "all"
_COLUMNS = ("path", "caption", "start", "end", "split")


class _Row(NamedTuple):
    video: Item
    caption: str
    split: str | None


def _read(table: Path, split: str) -> Annotations:
    if table.is_dir():
        table = find_annotation(table, "manifest.csv", "manifest.jsonl", "manifest.parquet")
    rows = []
    for place, record in _records(table):
        try:
            rows.append(_row(record))
        except ValueError as error:
            raise DatasetError(f"{table}, {place}: {error}. Correct the row or remove it") from None
    splits = sorted({row.split for row in rows if row.split is not None})
    if split != _ALL and not splits:
        raise DatasetError(
            f"{table} has no column 'split', so it has no split {split!r}: add the column, or use split "
            f"{_ALL!r} for every row"
        )
    if split not in (*splits, _ALL):
        raise DatasetError(
            f"{table} has no rows of split {split!r}; its splits are {', '.join(splits)}, and {_ALL} for "
            "every row"
        )
    videos: dict[str, Item] = {}
    captions: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if split in (row.split, _ALL):
            videos.setdefault(row.video.id, row.video)
            captions[row.video.id].append(row.caption)
    return Annotations(table, tuple(videos.values()), captions)


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows, each with its place in the file."""
    if path.suffix == ".csv":
        yield from ((f"line {number}", row) for number, row in read_rows(path, ["path", "caption"]))
    elif path.suffix == ".jsonl":
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if line.strip():
                yield f"line {number}", _json_object(path, number, line)
    elif path.suffix == ".parquet":
        yield from _parquet_records(path)
    else:
        raise DatasetError(
            f"{path} is not a manifest: give a .csv, .jsonl or .parquet file, or a folder with one"
        )


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}, line {number}: not JSON ({error}); each line is one object") from error
    if not isinstance(record, dict):
        raise DatasetError(f"{path}, line {number}: not an object with path and caption: {line[:40]}")
    return record


def _parquet_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow as pa  # slow to import
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            wanted = [name for name in _COLUMNS if name in file.schema_arrow.names]
            records = file.read(columns=wanted).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path} is not a valid Parquet file ({error})") from error
    return ((f"row {number}", record) for number, record in enumerate(records, start=1))


def _row(record: dict[str, Any]) -> _Row:
    """Check one row; a ValueError names the broken rule."""
    for name in ("path", "caption"):
        if not isinstance(record.get(name), str) or not record[name].strip():
            raise ValueError(f"{name} is {record.get(name)!r}; it must be a text")
    start, end = _seconds(record, "start"), _seconds(record, "end")
    if end is not None and end <= (start or 0.0):
        raise ValueError(f"end is {end:g} and start {start or 0:g}; end must come after start")
    path, split = record["path"], record.get("split")
    name = path
    if start is not None or end is not None:  # the notation of media fragments
        name += f"#t={_brief(start or 0.0)}" + ("" if end is None else f",{_brief(end)}")
    video = Item(Path(path), start, end, id=name)
    return _Row(video, record["caption"], None if split in (None, "") else str(split))


def _brief(seconds: float) -> str:
    """Return 4 for 4.0, but all digits of other numbers, because ids must be unique."""
    return str(seconds).removesuffix(".0")


def _seconds(record: dict[str, Any], name: str) -> float | None:
    value = record.get(name)
    if value is None or value == "":
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name} is {value!r}; it must be a number of seconds, 0 or more")
    return seconds


DATASET = DatasetSpec("manifest", _read, training_splits=("train", _ALL), protocols=("caption", "group"))
