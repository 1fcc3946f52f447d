"""Makes a `Dataset` from annotations and a folder of videos.

Missing videos are an error, or are left out and listed if the caller allows it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from centerclip.datasets.annotations import each_once
from centerclip.datasets.dataset import Caption, Dataset
from centerclip.datasets.spec import Annotations, DatasetSpec
from centerclip.errors import DatasetError
from centerclip.records import Item

__all__ = ["assemble"]

_SHOWN = 5
"""Missing videos to name in a message."""


def assemble(
    spec: DatasetSpec,
    split: str,
    annotations: Annotations,
    folder: Path,
    *,
    allow_missing: bool = False,
    packed: Collection[str] | None = None,
) -> Dataset:
    """Find the videos of a split, and join them with their captions.

    Args:
        spec: the data set.
        split: name of the split.
        annotations: annotations of the split, as `spec.read` returns them.
        folder: folder of the videos.
        allow_missing: leave out videos without a file or without captions, and list them in
            `Dataset.missing`.
        packed: ids of the videos whose frames are in a table; then no files are searched.

    Raises:
        DatasetError: the folder doesn't exist, a video has two files, a caption is empty, a video has no file
            or no captions and `allow_missing` is not set, or no video is left.
    """
    source, captions = annotations.source, annotations.captions
    each_once(source, [item.id for item in annotations.videos])
    if packed is not None:
        found = {item.id: item if item.id in packed else None for item in annotations.videos}
    elif not folder.is_dir():
        raise DatasetError(f"folder not found: {folder}. Give the folder of the videos")
    else:
        by_stem = _videos_by_stem(folder) if annotations.by_name else {}
        found = {item.id: _find(item, folder, by_stem) for item in annotations.videos}
    without_file = [name for name, item in found.items() if item is None]
    without_captions = [name for name in found if not captions.get(name)]
    if without_file and not allow_missing:
        place = folder if packed is None else "the table of frames"
        raise DatasetError(
            f"{spec.name} {split}: {len(without_file)} of {len(found)} videos are not in {place}: "
            f"{_some(without_file)}. Add them, or allow missing videos to continue without them"
        )
    if without_captions and not allow_missing:
        raise DatasetError(
            f"{spec.name} {split}: {source} has no captions for {len(without_captions)} of the split's "
            f"{len(found)} videos: {_some(without_captions)}. Use split and captions of the same release, or "
            "allow missing videos to continue without them"
        )
    left_out = {*without_file, *without_captions}
    kept = [item for item in found.values() if item is not None and item.id not in left_out]
    texts = []
    for position, item in enumerate(kept):
        for number, text in enumerate(captions[item.id], start=1):
            if not text.strip():
                raise DatasetError(
                    f"{source}: caption {number} of video {item.id} is empty; fill it in or remove it"
                )
            texts.append(Caption(text.strip(), position))
    return Dataset(
        name=spec.name,
        split=split,
        videos=tuple(kept),
        captions=tuple(texts),
        frames=spec.frames,
        max_text_tokens=spec.max_text_tokens,
        missing=tuple(name for name in found if name in left_out),
        protocols=spec.protocols,
        annotations_hash=_hash(annotations),
    )


def _hash(annotations: Annotations) -> str:
    facts = [
        [item.id, item.start_seconds, item.end_seconds, *annotations.captions.get(item.id, ())]
        for item in annotations.videos
    ]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).hexdigest()


def _videos_by_stem(folder: Path) -> dict[str, list[Path]]:
    # Imports decoders and torch, which listing data sets doesn't need.
    from centerclip.video.files import find_videos

    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in find_videos([folder]):
        by_stem[path.stem].append(path)
    return by_stem


def _find(item: Item, folder: Path, by_stem: Mapping[str, list[Path]]) -> Item | None:
    """Find a file named as the id or the published name, with any video suffix, or at the item's own path."""
    published = folder / item.path
    paths = by_stem.get(item.id) or by_stem.get(item.path.name) or [published][: _is_file(published)]
    if len(paths) > 1:
        raise DatasetError(
            f"{item.id} is found {len(paths)} times under {folder}: {paths[0]}, {paths[1]}. "
            "Give a folder with one file per video"
        )
    return replace(item, path=paths[0]) if paths else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
