"""How much there is to encode, estimated before a run."""

from __future__ import annotations

import os
from collections.abc import Iterable

from centerclip.index import FileStamp, VideoIndex
from centerclip.video import find_videos

__all__ = ["estimate_windows"]

_BYTES_PER_SECOND = 2_500_000
"""Of footage as phones and cameras store it. Most other files are smaller, so they count too little."""


def estimate_windows(
    index: VideoIndex,
    roots: Iterable[str | os.PathLike[str]],
    window_seconds: float,
    *,
    retry_failed: bool = False,
) -> int:
    """Estimate, from the sizes of files, how many windows `sync` would encode; rather too few than too many.

    Args:
        index: a new one, or one with some of the files.
        roots: files, and folders to walk.
        window_seconds: maximum length of a window.
        retry_failed: count only files that failed before.

    Raises:
        VideoError: one of `roots` doesn't exist.
    """
    stamps = []
    for path in find_videos(roots, on_error=lambda _: None, is_known=lambda _: True):
        try:
            stamps.append(FileStamp.of(path))
        except OSError:
            continue
    changes = index.changes(stamps)
    todo = (*changes.failed, *changes.changed) if retry_failed else (*changes.new, *changes.changed)
    return sum(max(1, int(file.size_bytes / _BYTES_PER_SECOND / window_seconds)) for file in todo)
