"""Loads splits and their frames: those to train on and to choose the model by must not share videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from centerclip.datasets import Dataset, find_dataset, load_dataset
from centerclip.embedding.frames import FileFrames, FrameSource, open_frames
from centerclip.embedding.packed import PackedFrames
from centerclip.errors import ConfigError, VideoError
from centerclip.preprocessing import Preprocessing
from centerclip.records import Item
from centerclip.training.config import DataSection

__all__ = [
    "TrainingData",
    "load_data",
    "load_split",
    "load_validation",
    "open_source",
    "without_unreadable",
]

_HELD_OUT_SEED = 0  # not the recipe's: runs with different seeds must be validated on the same videos
_FILES = FileFrames(Preprocessing((32, 32)))
_REMEDY = "choose another split, or hold out videos of the training split with data.val_videos"


@dataclass(frozen=True)
class TrainingData:
    """Both splits; `Dataset.missing` lists the videos that were left out."""

    training: Dataset
    validation: Dataset


def load_data(section: DataSection, *, progress: Callable[[int, int], None] | None = None) -> TrainingData:
    """Read both splits, and check that their files can be decoded.

    One frame of each file is decoded, unless the frames are in a table, or filling the cache will find the
    unreadable files anyway.

    Args:
        section: the recipe's section.
        progress: called with (files checked, files in total).

    Raises:
        ConfigError: the splits share videos, or results are reported on the validation split.
        DatasetError: as for `load_dataset`.
        VideoError: a file can't be decoded, and `allow_missing` is not set.
    """
    training = load_split(section, section.train_split)
    if section.val_videos is None:
        validation = load_validation(section)
        _check_shared(section, training, validation)
    else:
        training, validation = _hold_out(training, section.val_videos)
    if section.frames is not None or (section.cache is not None and not section.allow_missing):
        return TrainingData(training, validation)
    items = [*training.videos, *validation.videos]
    faults = _check_files(items, section.workers, progress)
    if faults and not section.allow_missing:
        raise VideoError(
            f"{next(iter(faults.values()))} ({len(faults)} of {len(items)} videos can't be decoded). Repair "
            "them, or set data.allow_missing to continue without them"
        )
    count = len(training.videos)
    return TrainingData(
        training.without([position for position in faults if position < count]),
        validation.without([position - count for position in faults if position >= count]),
    )


def load_split(section: DataSection, split: str) -> Dataset:
    """Read any split of a recipe's data set; files aren't decoded.

    Raises:
        DatasetError: as for `load_dataset`.
        ConfigError: there is no table `section.frames`.
    """
    return load_dataset(
        section.dataset,
        split,
        videos=section.videos,
        annotations=section.annotations,
        allow_missing=section.allow_missing,
        packed=None if section.frames is None else PackedFrames(section.frames).ids,
    )


def load_validation(section: DataSection) -> Dataset:
    """Read the videos to choose the model by, the same as in `load_data`; files aren't decoded.

    Raises:
        ConfigError: results are reported on the validation split, or too many videos are held out.
        DatasetError: as for `load_dataset`.
    """
    if section.val_videos is not None:
        return _hold_out(load_split(section, section.train_split), section.val_videos)[1]
    if section.val_split in find_dataset(section.dataset).reported_splits:
        raise ConfigError(
            f"val_split {section.val_split!r} can't choose the model, because results are reported on it: "
            f"{_REMEDY}"
        )
    return load_split(section, section.val_split)


def without_unreadable(section: DataSection, dataset: Dataset) -> Dataset:
    """Leave out videos whose files can't be decoded, if the recipe allows it."""
    if section.frames is not None or not section.allow_missing:
        return dataset
    return dataset.without(_check_files(dataset.videos, section.workers, None))


def open_source(
    section: DataSection,
    items: Sequence[Item],
    preprocessing: Preprocessing,
    frames: int,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> FrameSource:
    """Return a source of items' frames: the recipe's table, its cache, or the files.

    Args:
        section: the recipe's section.
        items: of one split.
        preprocessing: of the model.
        frames: T, the most frames per video that will be read.
        progress: called with (videos done, videos in total) while the cache is filled.

    Raises:
        ConfigError: the table was made for another model or has fewer frames, or the cache can't be written.
        VideoError: the cache is being filled, and a file can't be decoded.
    """
    if section.frames is not None:
        packed = PackedFrames(section.frames)
        packed.check(preprocessing, frames)
        return packed
    return open_frames(
        items,
        preprocessing,
        cache=section.cache,
        kept=max(section.cached_frames, frames),
        workers=section.workers,
        progress=progress,
    )


def _check_shared(section: DataSection, training: Dataset, validation: Dataset) -> None:
    shared = {*training.videos} & {*validation.videos}
    if shared:
        raise ConfigError(
            f"train_split {section.train_split!r} and val_split {section.val_split!r} share {len(shared)} "
            f"videos, such as {min(item.id for item in shared)}: {_REMEDY}"
        )


def _hold_out(training: Dataset, count: int) -> tuple[Dataset, Dataset]:
    videos = len(training.videos)
    if count >= videos:
        raise ConfigError(
            f"val_videos {count} leaves none of the {videos} videos of {training.name} {training.split} to "
            "train on: hold out fewer"
        )
    order = np.random.default_rng(_HELD_OUT_SEED).permutation(videos).tolist()
    held_out, rest = sorted(order[:count]), sorted(order[count:])
    return training.part(rest), replace(training.part(held_out), missing=())


def _check_files(
    items: Sequence[Item], workers: int, progress: Callable[[int, int], None] | None
) -> dict[int, VideoError]:
    """Return the error of each item that can't be decoded, by position."""

    def check(item: Item) -> VideoError | None:
        try:
            _FILES.read(item, 1)
        except VideoError as error:
            return error
        return None

    faults = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="check") as pool:
        for position, error in enumerate(pool.map(check, items)):
            if error is not None:
                faults[position] = error
            if progress is not None:
                progress(position + 1, len(items))
    return faults
