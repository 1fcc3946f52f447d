"""The toy world: short drawn videos, rendered by `centerclip toy-world`.

The folder contains the videos, and for each split a file such as `test.jsonl` with one object per video.
"""

from __future__ import annotations

import json
from pathlib import Path

from centerclip.datasets.annotations import read_text
from centerclip.datasets.spec import Annotations, DatasetSpec
from centerclip.errors import DatasetError
from centerclip.records import Item

__all__ = ["DATASET"]


def _read(folder: Path, split: str) -> Annotations:
    source = folder / f"{split}.jsonl"
    if not source.exists():
        raise DatasetError(f"file not found: {source}. Render it with centerclip toy-world {folder}")
    videos: list[Item] = []
    captions: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(source).splitlines(), start=1):
        try:
            record = json.loads(line)
            videos.append(Item(Path(record["video"]), id=record["id"]))
            captions[record["id"]] = list(record["captions"])
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{source}, line {number}: not a line of the toy world ({error}). Delete the file and render "
                f"it again with centerclip toy-world {folder}"
            ) from error
    return Annotations(source, tuple(videos), captions)


DATASET = DatasetSpec("toy-world", _read, splits=("test", "val", "train"), protocols=("caption", "group"))
