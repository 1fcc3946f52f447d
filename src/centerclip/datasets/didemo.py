"""DiDeMo (Hendricks et al., ICCV 2017): personal videos with descriptions of several of their moments.

Annotations: the lists `train_list.txt`, `val_list.txt`, `test_list.txt` (8,392, 1,065 and 1,004 videos), and
the descriptions as the original `test_data.json` or as `didemo_test_label.csv`. The label files of train and
val lack 30 and 3 of the listed videos, which count as missing.
Videos: named as in the lists, or re-encoded with another suffix. Only the first 31 seconds are used, and the
descriptions of a video are joined into one caption.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from centerclip.datasets.annotations import find_annotation, read_ids, read_json, read_rows
from centerclip.datasets.spec import Annotations, DatasetSpec
from centerclip.records import Item

__all__ = ["DATASET"]

_END_SECONDS = 31.0
"""Only the first six pieces of five seconds have descriptions; the published labels end at 31."""


@dataclass(frozen=True)
class _Description:
    video: str
    description: str


def _read(folder: Path, split: str) -> Annotations:
    listed = read_ids(find_annotation(folder, f"{split}_list.txt"))
    source = find_annotation(folder, f"{split}_data.json", f"didemo_{split}_label.csv")
    descriptions: dict[str, list[str]] = defaultdict(list)
    if source.suffix == ".json":
        for described in read_json(source, list[_Description]):
            descriptions[_id(described.video)].append(described.description.strip())
    else:
        for _, row in read_rows(source, ["video_path", "text"]):
            descriptions[_id(PurePosixPath(row["video_path"]).name)].append(row["text"].strip())
    captions = {name: [" ".join(filter(None, texts))] for name, texts in descriptions.items()}
    videos = tuple(Item(Path(name), 0.0, _END_SECONDS, id=_id(name)) for name in listed)
    return Annotations(source, videos, captions, by_name=True)


def _id(name: str) -> str:
    """Return the name without its suffix, which can be a bare dot and which re-encoding changes."""
    return name.rpartition(".")[0]


DATASET = DatasetSpec("didemo", _read, splits=("test", "val", "train"), frames=60, max_text_tokens=77)
