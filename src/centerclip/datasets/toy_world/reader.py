"""Reads a rendered toy world as a data set."""

from __future__ import annotations

import json
from pathlib import Path

from centerclip.datasets.dataset import Caption, Dataset, VideoItem
from centerclip.datasets.toy_world.sampling import SPLITS
from centerclip.errors import DatasetError

__all__ = ["toy_world"]


def toy_world(folder: str | Path, split: str = "test") -> Dataset:
    """Read a split that `render_toy_world` wrote; every video has several captions.

    Raises:
        DatasetError: no such split, not rendered, or videos gone since.
    """
    folder = Path(folder)
    if split not in SPLITS:
        raise DatasetError(f"split is {split!r}; the toy world has {', '.join(SPLITS)}")
    lines = folder / f"{split}.jsonl"
    if not lines.exists():
        raise DatasetError(f"no {lines}; render the toy world with render_toy_world({str(folder)!r})")
    records = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    videos = tuple(VideoItem(record["id"], folder / record["video"]) for record in records)
    gone = [str(video.path) for video in videos if not video.path.exists()]
    if gone:
        raise DatasetError(
            f"{len(gone)} of {len(videos)} videos of {lines} are missing, the first is {gone[0]}; "
            "run render_toy_world again with the same arguments, it makes those that are missing"
        )
    texts = (Caption(text, i) for i, record in enumerate(records) for text in record["captions"])
    return Dataset("toy world", split, videos, tuple(texts))
