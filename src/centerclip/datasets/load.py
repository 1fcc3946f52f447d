"""Data sets by name: which there are, and the one call that reads any of them."""

from __future__ import annotations

import os
from pathlib import Path

from centerclip.datasets import activitynet, didemo, lsmdc, msrvtt, msvd
from centerclip.datasets.dataset import Dataset
from centerclip.datasets.manifest import manifest
from centerclip.errors import DatasetError

__all__ = ["SPLITS", "load_dataset"]

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
        # Its package draws and encodes videos; the other sets need none of that.
        from centerclip.datasets.toy_world import toy_world

        return toy_world(_folder(name, "videos", annotations if videos is None else videos), split)
    source = _folder(name, "annotations", annotations)
    if name == "manifest":
        return manifest(source, None if videos is None else Path(videos), split, allow_missing=allow_missing)
    if (source / name).is_dir():
        source /= name
    return _PUBLISHED[name](source, _folder(name, "videos", videos), split, allow_missing=allow_missing)


def _folder(name: str, role: str, path: str | os.PathLike[str] | None) -> Path:
    if path is None:
        raise DatasetError(f"{name} needs the folder of its {role}; none is given")
    return Path(path)
