"""A plain table of one's own videos and captions: CSV, JSON lines or Parquet."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from centerclip.datasets.annotations import find_annotation, read_rows, read_text
from centerclip.datasets.assembly import Protocol, assemble
from centerclip.datasets.dataset import Dataset, VideoItem
from centerclip.errors import DatasetError

__all__ = ["manifest"]

PROTOCOL = Protocol("manifest", video_to_text=("caption", "group"))
_ALL = "all"


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    caption: str
    start: float | None
    end: float | None
    split: str | None

    @property
    def id(self) -> str:
        """The path, and the part of it in the notation of media fragments."""
        if self.start is None and self.end is None:
            return self.path
        end = "" if self.end is None else f",{_brief(self.end)}"
        return f"{self.path}#t={_brief(self.start or 0.0)}{end}"


def manifest(
    annotations: Path,
    videos: Path | None,
    split: str = _ALL,
    *,
    allow_missing: bool = False,
    captions_only: bool = False,
) -> Dataset:
    """Read a table with a caption a row; equal path, start and end make one video with several captions.

    Args:
        annotations: a `.csv` with a header, a `.jsonl` of objects or a `.parquet` with the columns
            `path` and `caption`, and, where wanted, `start`, `end` (seconds) and `split`; others are
            passed over. Or a folder that holds it as `manifest.csv`, `.jsonl` or `.parquet`.
        videos: the folder that paths start from; the table's own if None.
        split: the rows whose `split` is this; `all` for every row, the only one without that column.
        allow_missing: go on without files that are not there.
        captions_only: look for no files.

    Raises:
        DatasetError: a row breaks a rule (named), no rows of that split, or files missing.
    """
    if annotations.is_dir():
        annotations = find_annotation(annotations, "manifest.csv", "manifest.jsonl", "manifest.parquet")
    rows = list(_rows(annotations))
    splits = sorted({row.split for row in rows if row.split is not None})
    if split != _ALL:
        rows = [row for row in rows if row.split == split]
        if not rows:
            raise DatasetError(
                f"{annotations} has no rows of split {split!r}; it has {', '.join([*splits, _ALL])}. "
                "A column named split says which rows belong to which"
            )
    folder = annotations.parent if videos is None else videos
    items: dict[str, VideoItem | None] = {}
    captions: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.id not in items:
            path = folder / row.path
            there = captions_only or path.is_file()
            items[row.id] = VideoItem(row.id, path, row.start, row.end) if there else None
        captions[row.id].append(row.caption)
    return assemble(
        PROTOCOL, split, items, captions, source=annotations, videos=folder, allow_missing=allow_missing
    )


def _rows(path: Path) -> Iterator[_Row]:
    for place, record in _records(path):
        try:
            yield _row(record)
        except ValueError as error:
            raise DatasetError(f"{path}, {place}: {error}. Correct the row or remove it") from None


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows as they stand, and where."""
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
            f"{path}: a manifest is a .csv, .jsonl or .parquet file, or a folder that holds one"
        )


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}, line {number}: not JSON ({error}); each line is one object") from error
    if not isinstance(record, dict):
        raise DatasetError(f"{path}, line {number}: not an object with path and caption, but {line[:40]}")
    return record


def _parquet_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    # Slow to import, and only this format needs it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            wanted = [n for n in ("path", "caption", "start", "end", "split") if n in file.schema_arrow.names]
            records = file.read(columns=wanted).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path}: not a Parquet file that can be read ({error})") from error
    return ((f"row {number}", record) for number, record in enumerate(records, start=1))


def _row(record: dict[str, Any]) -> _Row:
    """Check one row; ValueError says which rule it breaks."""
    for name in ("path", "caption"):
        if not isinstance(record.get(name), str) or not record[name].strip():
            raise ValueError(f"{name} is {record.get(name)!r}; each row needs a text there")
    start, end = _seconds(record, "start"), _seconds(record, "end")
    if end is not None and end <= (start or 0.0):
        raise ValueError(f"end is {end:g} and start {start or 0:g}; end must come after start")
    split = record.get("split")
    return _Row(
        record["path"], record["caption"], start, end, str(split) if split not in (None, "") else None
    )


def _brief(seconds: float) -> str:
    """4 for 4.0, and every digit of other numbers: two windows must not share an id."""
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
        raise ValueError(f"{name} is {value!r}; it must be seconds from the beginning, 0 or more")
    return seconds
