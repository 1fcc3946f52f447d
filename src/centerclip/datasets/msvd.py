"""MSVD (Chen and Dolan, ACL 2011): 1,970 short YouTube clips with about 40 captions each."""

from __future__ import annotations

from pathlib import Path

from centerclip.datasets.annotations import find_annotation, read_ids, read_json, read_pickle
from centerclip.datasets.assembly import Protocol, assemble, check_split, find_videos_by_id
from centerclip.datasets.dataset import Dataset

__all__ = ["SPLITS", "msvd"]

PROTOCOL = Protocol("msvd", video_to_text=("caption", "group"))
SPLITS = ("train", "val", "test")
"""1,200, 100 and 670 videos."""


def msvd(annotations: Path, videos: Path | None, split: str, *, allow_missing: bool = False) -> Dataset:
    """Read a split of MSVD.

    Args:
        annotations: folder with `train_list.txt`, `val_list.txt`, `test_list.txt`, and the captions as
            `captions_msvd.json` (id to list of captions) or `raw-captions.pkl` (id to list of word
            lists, the field's usual file; nothing in it is run).
        videos: folder with `-4wsuPCjDBc_5_15.avi` and so on; None for the captions alone.
        split: one of `SPLITS`.
        allow_missing: go on without videos that are not there.

    Returns:
        12 frames, 32 words, every caption; video-to-text by caption and by group.

    Raises:
        DatasetError: a file is missing or malformed.
    """
    check_split(PROTOCOL.name, split, SPLITS)
    ids = read_ids(find_annotation(annotations, f"{split}_list.txt"))
    source = find_annotation(annotations, "captions_msvd.json", "raw-captions.pkl")
    if source.suffix == ".json":
        captions = read_json(source, dict[str, list[str]])
    else:
        words = read_pickle(source, dict[str, list[list[str]]])
        captions = {name: [" ".join(caption) for caption in told] for name, told in words.items()}
    items = find_videos_by_id(videos, ids)
    return assemble(
        PROTOCOL, split, items, captions, source=source, videos=videos, allow_missing=allow_missing
    )
