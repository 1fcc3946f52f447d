"""Reads a rendered toy world as a data set."""

from __future__ import annotations

import json
from pathlib import Path

from centerclip.datasets.annotations import read_text
from centerclip.datasets.assembly import Protocol, assemble
from centerclip.datasets.dataset import Dataset, VideoItem
from centerclip.errors import DatasetError
from centerclip.lab.toy_world.sampling import SPLITS

__all__ = ["toy_world"]

PROTOCOL = Protocol("toy world", video_to_text=("caption", "group"))


def toy_world(
    folder: str | Path, split: str = "test", *, allow_missing: bool = False, captions_only: bool = False
) -> Dataset:
    """Read a split that `render_toy_world` wrote; every video has several captions.

    Args:
        folder: it was rendered to.
        split: train, val or test.
        allow_missing: go on without videos that are gone.
        captions_only: look for no videos.

    Raises:
        DatasetError: no such split, not rendered, or damaged, or videos gone since.
    """
    folder = Path(folder)
    if split not in SPLITS:
        raise DatasetError(f"split is {split!r}; the toy world has {', '.join(SPLITS)}")
    lines = folder / f"{split}.jsonl"
    if not lines.exists():
        raise DatasetError(f"no {lines}; render the toy world with render_toy_world({str(folder)!r})")
    items: dict[str, VideoItem | None] = {}
    captions: dict[str, list[str]] = {}
    gone: list[Path] = []
    for number, line in enumerate(read_text(lines).splitlines(), start=1):
        try:
            record = json.loads(line)
            name, path, captions[name] = record["id"], folder / record["video"], list(record["captions"])
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{lines}, line {number}: not as render_toy_world writes it ({error})"
            ) from error
        there = captions_only or path.is_file()
        items[name] = VideoItem(name, path) if there else None
        if not there:
            gone.append(path)
    if gone and not allow_missing:
        raise DatasetError(
            f"{len(gone)} of {len(items)} videos of {lines} are missing, the first is {gone[0]}; "
            "run render_toy_world again with the same arguments, it makes those that are missing"
        )
    return assemble(
        PROTOCOL, split, items, captions, source=lines, videos=folder, allow_missing=allow_missing
    )
