"""From annotations and a folder of videos to a `Dataset`, the same for all data sets.

Owns the search for video files and the rule for missing ones: an error that names them, or, if the caller
allows it, a smaller data set that lists them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from centerclip.datasets.annotations import each_once
from centerclip.datasets.dataset import Caption, Dataset
from centerclip.datasets.spec import Annotations, DatasetSpec
from centerclip.errors import DatasetError
from centerclip.records import Item

__all__ = ["assemble"]

_SHOWN = 5
"""Missing videos that a message names."""

_Find = Callable[[Item], Item | None]


def assemble(
    spec: DatasetSpec, split: str, annotations: Annotations, folder: Path, *, allow_missing: bool = False
) -> Dataset:
    """Put a split together.

    Args:
        spec: the data set.
        split: its name.
        annotations: what `spec.read` returned for the split.
        folder: of the videos.
        allow_missing: leave out videos without a file or without captions, and list them in
            `Dataset.missing`.

    Raises:
        DatasetError: no such folder; two files for one video; an empty caption; a video without a file or
            captions, unless allowed; nothing left.
    """
    source, captions = annotations.source, annotations.captions
    if not folder.is_dir():
        raise DatasetError(f"folder not found: {folder}. Give the folder that holds the videos")
    find = _by_name(folder) if annotations.by_name else _by_path(folder)
    each_once(source, [item.id for item in annotations.videos])
    found = {item.id: find(item) for item in annotations.videos}
    unfound = [name for name, item in found.items() if item is None]
    untold = [name for name in found if not captions.get(name)]
    if unfound and not allow_missing:
        raise DatasetError(
            f"{spec.name} {split}: {len(unfound)} of {len(found)} videos are not in {folder}: "
            f"{_some(unfound)}. Add the files, or allow missing videos to continue without them"
        )
    if untold and not allow_missing:
        raise DatasetError(
            f"{spec.name} {split}: {source} has no captions for {len(untold)} of the split's {len(found)} "
            f"videos: {_some(untold)}. Use split and captions of the same release, or allow missing videos "
            "to continue without these"
        )
    left_out = {*unfound, *untold}
    kept = [item for item in found.values() if item is not None and item.id not in left_out]
    texts = []
    for position, item in enumerate(kept):
        for number, text in enumerate(captions[item.id], start=1):
            if not text.strip():
                raise DatasetError(
                    f"{source}: caption {number} of video {item.id} is empty; correct it or remove it"
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
    )


def _by_path(folder: Path) -> _Find:
    def find(item: Item) -> Item | None:
        path = folder / item.path
        return replace(item, path=path) if path.is_file() else None

    return find


def _by_name(folder: Path) -> _Find:
    """Find a video as its id or its published name, each as it is or with the suffix of a re-encoding."""
    # Importing the video package loads decoders and torch, which listing data sets doesn't need.
    from centerclip.video.files import find_videos

    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in find_videos([folder]):
        by_stem[path.stem].append(path)

    def find(item: Item) -> Item | None:
        published = folder / item.path
        paths = by_stem.get(item.id) or by_stem.get(item.path.name) or [published][: published.is_file()]
        if len(paths) > 1:
            raise DatasetError(
                f"{item.id} is found {len(paths)} times under {folder}: {paths[0]}, {paths[1]}. "
                "Give a folder that holds each video once"
            )
        return replace(item, path=paths[0]) if paths else None

    return find


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
