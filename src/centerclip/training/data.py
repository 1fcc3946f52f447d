"""Loads the splits to train on and to choose the model by, which must not share videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from centerclip.datasets import Dataset, find_dataset, load_dataset
from centerclip.embedding.frames import FileFrames
from centerclip.embedding.packed import PackedFrames
from centerclip.errors import ConfigError, VideoError
from centerclip.preprocessing import Preprocessing
from centerclip.records import Item
from centerclip.training.config import DataSection

__all__ = ["TrainingData", "load_data"]

_HELD_OUT_SEED = 0  # not the recipe's: runs with different seeds must be validated on the same videos
_FILES = FileFrames(Preprocessing((32, 32)))


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
    load = partial(
        load_dataset,
        section.dataset,
        videos=section.videos,
        annotations=section.annotations,
        allow_missing=section.allow_missing,
        packed=None if section.frames is None else PackedFrames(section.frames).ids,
    )
    training = load(section.train_split)
    if section.val_videos is None:
        validation = _validation(section, training, load)
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


def _validation(section: DataSection, training: Dataset, load: Callable[[str], Dataset]) -> Dataset:
    remedy = "choose another split, or hold out videos of the training split with data.val_videos"
    if section.val_split in find_dataset(section.dataset).reported_splits:
        raise ConfigError(
            f"val_split {section.val_split!r} can't choose the model, because results are reported on it: "
            f"{remedy}"
        )
    validation = load(section.val_split)
    shared = {*training.videos} & {*validation.videos}
    if shared:
        raise ConfigError(
            f"train_split {section.train_split!r} and val_split {section.val_split!r} share {len(shared)} "
            f"videos, such as {min(item.id for item in shared)}: {remedy}"
        )
    return validation


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
