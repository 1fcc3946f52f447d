"""What a run trains on and what it chooses its model by: two splits that share no video, all decodable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from centerclip.datasets.frames import read_item

from centerclip.datasets import Dataset, load_dataset
from centerclip.datasets.dataset import Caption, VideoItem
from centerclip.errors import ConfigError, VideoError
from centerclip.preprocessing import Preprocessing
from centerclip.training.config import DataSection

__all__ = ["TrainingData", "load_data"]

_REPORTED = ("test", "1k-A", "val_1", "val_2")
"""Splits that results are reported on (ActivityNet: val_1, of whose videos val_2 tells again)."""
_HELD_OUT_SEED = 0  # not the recipe's: runs with several seeds are to be chosen by the same videos
_GLANCE = Preprocessing((32, 32))


@dataclass(frozen=True)
class TrainingData:
    """Both splits; `Dataset.missing` of each lists what was left out."""

    training: Dataset
    validation: Dataset


def load_data(section: DataSection, *, progress: Callable[[int, int], None] | None = None) -> TrainingData:
    """Read both splits, and make sure that their files can be decoded.

    Files are tried by one frame each, unless decoding them into the cache will tell as well.

    Args:
        section: of the recipe.
        progress: called with (files tried, files in all).

    Raises:
        ConfigError: the splits overlap, or the model would be chosen by a test split.
        DatasetError: as `load_dataset`.
        VideoError: a file gives no frame, and `allow_missing` is not set.
    """
    training = _load(section, section.train_split)
    if section.val_videos is None:
        validation = _validation(section, training)
    else:
        training, validation = _hold_out(training, section.val_videos)
    if section.cache is not None and not section.allow_missing:
        return TrainingData(training, validation)
    items = [*training.videos, *validation.videos]
    faults = _try_all(items, section.workers, progress)
    if faults and not section.allow_missing:
        first = next(iter(faults.values()))
        raise VideoError(
            f"{first} ({len(faults)} of {len(items)} videos can't be decoded); mend them, or set "
            "data.allow_missing to go on without"
        )
    return TrainingData(_without(training, faults), _without(validation, faults))


def _load(section: DataSection, split: str) -> Dataset:
    return load_dataset(
        section.dataset,
        split,
        videos=section.videos,
        annotations=section.annotations,
        allow_missing=section.allow_missing,
    )


def _validation(section: DataSection, training: Dataset) -> Dataset:
    remedy = "take another, or hold videos of the training split out by data.val_videos"
    if section.val_split in _REPORTED:
        raise ConfigError(f"val_split {section.val_split!r} is what results are reported on: {remedy}")
    validation = _load(section, section.val_split)
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
            "train on: hold fewer out"
        )
    order = np.random.default_rng(_HELD_OUT_SEED).permutation(videos).tolist()
    held_out, rest = sorted(order[:count]), sorted(order[count:])
    return _part(training, rest), replace(_part(training, held_out), missing=())


def _try_all(
    items: Sequence[VideoItem], workers: int, progress: Callable[[int, int], None] | None
) -> dict[VideoItem, VideoError]:
    def fault(item: VideoItem) -> VideoError | None:
        try:
            read_item(item, 1, _GLANCE)
        except VideoError as error:
            return error
        return None

    faults = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="try") as pool:
        for done, (item, error) in enumerate(zip(items, pool.map(fault, items), strict=True), start=1):
            if error is not None:
                faults[item] = error
            if progress is not None:
                progress(done, len(items))
    return faults


def _without(dataset: Dataset, faults: dict[VideoItem, VideoError]) -> Dataset:
    lost = tuple(item.id for item in dataset.videos if item in faults)
    if not lost:
        return dataset
    kept = [place for place, item in enumerate(dataset.videos) if item not in faults]
    return replace(_part(dataset, kept), missing=(*dataset.missing, *lost))


def _part(dataset: Dataset, places: Sequence[int]) -> Dataset:
    """The videos at `places`, in that order, with their captions."""
    moved = {before: after for after, before in enumerate(places)}
    return replace(
        dataset,
        videos=tuple(dataset.videos[place] for place in places),
        captions=tuple(
            Caption(caption.text, moved[caption.video])
            for caption in dataset.captions
            if caption.video in moved
        ),
    )
