"""The table of data sets, and functions that read them by name."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from centerclip.datasets import activitynet, didemo, lsmdc, manifest, msrvtt, msvd, toy_world
from centerclip.datasets.assembly import assemble
from centerclip.datasets.dataset import Dataset
from centerclip.datasets.spec import Annotations, DatasetSpec
from centerclip.errors import DatasetError
from centerclip.naming import import_object, look_here

__all__ = [
    "DATASETS",
    "describe_frames",
    "describe_splits",
    "find_dataset",
    "load_dataset",
    "training_captions",
]

DATASETS: dict[str, DatasetSpec] = {
    module.DATASET.name: module.DATASET
    for module in (msrvtt, msvd, lsmdc, activitynet, didemo, toy_world, manifest)
}
"""All data sets by name."""

_Place = str | os.PathLike[str]


def describe_splits() -> str:
    """Return the splits of each data set, for help texts."""
    own = "all, or a value of its column split"
    return "; ".join(f"{name}: {', '.join(spec.splits) or own}" for name, spec in DATASETS.items())


def describe_frames() -> str:
    """Return the frames per video of each data set with a usual number, for help texts."""
    return ", ".join(f"{name}: {spec.frames}" for name, spec in DATASETS.items() if spec.frames)


def find_dataset(name: str | DatasetSpec) -> DatasetSpec:
    """Look up a data set.

    Args:
        name: a key of `DATASETS`, `module:object` for your own `DatasetSpec`, or a `DatasetSpec`, which is
            returned unchanged. The module may be in the working folder.

    Raises:
        DatasetError: the data set is unknown, or the object isn't a `DatasetSpec`.
        ConfigError: the object can't be imported.
    """
    if isinstance(name, DatasetSpec):
        return name
    if name in DATASETS:
        return DATASETS[name]
    if ":" not in name:
        raise DatasetError(
            f"unknown data set {name!r}: choose one of {', '.join(DATASETS)}, or name your own module:object"
        )
    look_here()
    spec = import_object(name, "data set")
    if not isinstance(spec, DatasetSpec):
        raise DatasetError(f"{name} is a {type(spec).__name__}; it must be a centerclip.datasets.DatasetSpec")
    return spec


def load_dataset(
    name: str | DatasetSpec,
    split: str | None = None,
    *,
    annotations: _Place | None = None,
    videos: _Place | None = None,
    allow_missing: bool = False,
    packed: Collection[str] | None = None,
) -> Dataset:
    """Read a split of a data set and find its videos.

    Args:
        name: as for `find_dataset`.
        split: one of the data set's splits, by default the first.
        annotations: folder of the annotation files, or its parent if it is named after the data set; for
            `manifest`, the file. By default `videos`.
        videos: folder of the videos, searched with its subfolders. By default the annotations' folder.
        allow_missing: leave out videos without a file or captions, and list them in `Dataset.missing`.
        packed: ids of the videos whose frames are in a table, instead of files.

    Raises:
        DatasetError: the data set or split is unknown, or a file is missing or malformed.
    """
    spec = find_dataset(name)
    if split is None:
        split = spec.splits[0] if spec.splits else "test"
    place = _annotations(spec, annotations, videos)
    found = _read(spec, split, place)
    folder = Path(videos) if videos is not None else place if place.is_dir() else place.parent
    return assemble(spec, split, found, folder, allow_missing=allow_missing, packed=packed)


def training_captions(
    name: str | DatasetSpec, split: str, *, annotations: _Place | None = None, videos: _Place | None = None
) -> list[str]:
    """Return the captions of the training split that belongs to `split`. Video files aren't needed.

    Args:
        name, annotations, videos: as for `load_dataset`.
        split: the split to evaluate. For example, `9k` is the training split of `1k-A`.

    Raises:
        DatasetError: `split` is a training split, or files of the training split are missing or malformed.
    """
    spec = find_dataset(name)
    if split in spec.training_splits or not spec.training_splits:
        raise DatasetError(
            f"no training captions for {spec.name} {split}: its training splits are "
            f"{', '.join(spec.training_splits) or 'none'}. Evaluate a split that isn't trained on"
        )
    training = spec.training_split_for.get(split, spec.training_splits[0])
    try:
        found = _read(spec, training, _annotations(spec, annotations, videos))
    except DatasetError as error:
        raise DatasetError(f"the captions of training split {training!r} are needed: {error}") from error
    return [text for video in found.videos for text in found.captions.get(video.id, ())]


def _annotations(spec: DatasetSpec, annotations: _Place | None, videos: _Place | None) -> Path:
    given = videos if annotations is None else annotations
    if given is None:
        raise DatasetError(
            f"{spec.name} needs the folder of its videos and that of its annotation files: give at least one"
        )
    named = Path(given) / spec.name
    return named if named.is_dir() else Path(given)


def _read(spec: DatasetSpec, split: str, place: Path) -> Annotations:
    if spec.splits and split not in spec.splits:
        raise DatasetError(f"{spec.name} has no split {split!r}; its splits are {', '.join(spec.splits)}")
    return spec.read(place, split)
