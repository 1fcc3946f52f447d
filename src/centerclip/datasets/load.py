"""Data sets by name: which there are, and the one call that reads any of them."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from centerclip.datasets import activitynet, didemo, lsmdc, msrvtt, msvd
from centerclip.datasets.dataset import Dataset
from centerclip.datasets.manifest import manifest
from centerclip.errors import DatasetError

__all__ = ["SPLITS", "load_dataset", "training_captions"]

_PUBLISHED = {
    "msrvtt": msrvtt.msrvtt,
    "msvd": msvd.msvd,
    "lsmdc": lsmdc.lsmdc,
    "activitynet": activitynet.activitynet,
    "didemo": didemo.didemo,
}
SPLITS = {
    "msrvtt": msrvtt.SPLITS,
    "msvd": msvd.SPLITS,
    "lsmdc": lsmdc.SPLITS,
    "activitynet": activitynet.SPLITS,
    "didemo": didemo.SPLITS,
    "toy-world": ("train", "val", "test"),
    "manifest": ("all",),
}
"""The splits of each set by name; a manifest has besides those that its column `split` names."""


def load_dataset(
    name: str,
    split: str,
    *,
    annotations: str | os.PathLike[str] | None = None,
    videos: str | os.PathLike[str] | None = None,
    allow_missing: bool = False,
) -> Dataset:
    """Read a split of a data set from its published files.

    Args:
        name: a key of `SPLITS`.
        split: one of the set's.
        annotations: the folder of the set's annotation files, or one that holds it under the set's
            name; for `manifest`, the file. The toy world has none.
        videos: the folder of its videos, looked through with all folders below; for the toy world, the
            folder it was rendered to. A manifest's paths start from its own folder if None.
        allow_missing: go on without videos that are not there; `Dataset.missing` lists them.

    Raises:
        DatasetError: an unknown set or split, a file missing or malformed; names file, place and
            remedy.
    """
    if name not in SPLITS:
        raise DatasetError(f"there is no data set {name!r}; there are {', '.join(SPLITS)}")
    if name == "toy-world":
        toy_world: Any = import_module("centerclip.lab.toy_world").toy_world

        folder = _folder(name, "videos", annotations if videos is None else videos)
        drawn: Dataset = toy_world(folder, split, allow_missing=allow_missing)
        return drawn
    source = _folder(name, "annotations", annotations)
    if name == "manifest":
        return manifest(source, None if videos is None else Path(videos), split, allow_missing=allow_missing)
    return _PUBLISHED[name](
        _own(source, name), _folder(name, "videos", videos), split, allow_missing=allow_missing
    )


def training_captions(
    name: str,
    split: str,
    *,
    annotations: str | os.PathLike[str] | None = None,
    videos: str | os.PathLike[str] | None = None,
) -> list[str]:
    """The captions of the split that is trained on for an evaluation on `split`; no video is looked for.

    Args:
        name, annotations, videos: as of `load_dataset`.
        split: that is evaluated, such as `1k-A`, whose training split is `9k`.

    Raises:
        DatasetError: `split` is itself trained on, or the files of the training split are missing or
            malformed.
    """
    training = "9k" if (name, split) == ("msrvtt", "1k-A") else "train"
    if split in (training, "7k", "9k", "all"):
        raise DatasetError(
            f"the captions of {name} {split} are trained on, so they can't be told apart from its queries; "
            "evaluate a split for validation or testing"
        )
    try:
        if name == "toy-world":
            toy_world = import_module("centerclip.lab.toy_world").toy_world
            folder = _folder(name, "videos", annotations if videos is None else videos)
            dataset = toy_world(folder, training, captions_only=True)
        elif name == "manifest":
            dataset = manifest(_folder(name, "annotations", annotations), None, training, captions_only=True)
        else:
            source = _own(_folder(name, "annotations", annotations), name)
            # A few videos of some training lists were never described; their captions are not wanted.
            dataset = _PUBLISHED[name](source, None, training, allow_missing=True)
    except DatasetError as error:
        raise DatasetError(f"the captions of the training split {training} are needed: {error}") from error
    return [caption.text for caption in dataset.captions]


def _own(folder: Path, name: str) -> Path:
    """The folder within that is named after the set, if there is one."""
    return folder / name if (folder / name).is_dir() else folder


def _folder(name: str, role: str, path: str | os.PathLike[str] | None) -> Path:
    if path is None:
        raise DatasetError(f"{name} needs the folder of its {role}; none is given")
    return Path(path)
