"""Whether a location holds anything else than an index, which is never touched."""

from __future__ import annotations

import os

from centerclip.errors import IndexStoreError
from centerclip.index.bucket import Bucket
from centerclip.index.schema import KEYS

__all__ = ["refuse_foreign"]


def refuse_foreign(location: str, bucket: Bucket | None) -> None:
    """Make sure that a folder, or a prefix of a bucket, has no files but those of an index.

    Raises:
        IndexStoreError: it has, or it can't be reached.
    """
    if bucket is not None:
        names = bucket.names()
        if "meta.lance" in names:  # other objects beside the tables have always been allowed
            names = {name for name in names if name.endswith(".lance")}
    elif os.path.isdir(location):
        names = set(os.listdir(location))
    elif os.path.exists(location):
        raise IndexStoreError(f"{location} is a file, but an index is a folder: choose another --index")
    else:
        return
    visible = {name for name in names if not name.startswith(".")}  # ignores the lock and .DS_Store
    if foreign := sorted(visible - {f"{name}.lance" for name in KEYS}):
        raise IndexStoreError(
            f"{location} isn't an index: it contains other files ({foreign[0]!r}). "
            "Nothing was touched; choose an empty or new folder with --index"
        )
