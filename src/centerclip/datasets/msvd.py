"""MSVD (Chen and Dolan, ACL 2011): 1,970 short YouTube videos with about 40 captions each.

Annotations: the lists `train_list.txt`, `val_list.txt`, `test_list.txt` (1,200, 100 and 670 videos), and the
captions as `captions_msvd.json` (id to list of captions) or `raw-captions.pkl` (the usual file, id to list of
word lists).
Videos: `-4wsuPCjDBc_5_15.avi` and so on.
"""

from __future__ import annotations

from pathlib import Path

from centerclip.datasets.annotations import find_annotation, read_ids, read_json, read_pickle
from centerclip.datasets.spec import Annotations, DatasetSpec

__all__ = ["DATASET"]


def _read(folder: Path, split: str) -> Annotations:
    ids = read_ids(find_annotation(folder, f"{split}_list.txt"))
    source = find_annotation(folder, "captions_msvd.json", "raw-captions.pkl")
    if source.suffix == ".json":
        return Annotations.of_ids(source, ids, read_json(source, dict[str, list[str]]))
    words = read_pickle(source, dict[str, list[list[str]]])
    captions = {name: [" ".join(caption) for caption in texts] for name, texts in words.items()}
    return Annotations.of_ids(source, ids, captions)


DATASET = DatasetSpec(
    "msvd", _read, splits=("test", "val", "train"), frames=12, protocols=("caption", "group")
)
