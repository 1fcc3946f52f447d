"""Recognizes videos at addresses that the index has under another path, by a few megabytes of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from centerclip.errors import VideoError
from centerclip.index import FileStamp, StoredVideo, VideoIndex
from centerclip.index.sql import all_of, any_of, equals
from centerclip.remote import Address
from centerclip.video import content_id

__all__ = ["Known", "recognize"]

_SIZES = 1000
"""In one condition."""
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Known:
    """A file whose content the index has at `old`, and what became of that: see `FileResult.state`."""

    file: FileStamp
    old: Path
    state: Literal["unchanged", "moved", "copied"]


def recognize(index: VideoIndex, files: Sequence[FileStamp]) -> Iterator[Known]:
    """Yield those of some files whose content the index has.

    Copying an object changes its time, so nothing but size and content tells. Only files of a size that the
    index has are looked into.

    Args:
        index: the index, which isn't changed.
        files: at addresses, new or changed.
    """
    by_size: dict[int, list[StoredVideo]] = {}
    sizes = iter({file.size_bytes for file in files})
    while some := list(islice(sizes, _SIZES)):
        for video in index.videos(all_of(equals("state", "done"), any_of("size_bytes", some))):
            by_size.setdefault(video.info.size_bytes, []).append(video)
    likely = [file for file in files if file.size_bytes in by_size]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="centerclip-recognize") as pool:
        for file, content in zip(likely, pool.map(_content, likely), strict=True):
            paths = [v.info.path for v in by_size[file.size_bytes] if v.info.video_id == content]
            if file.path in paths:
                yield Known(file, file.path, "unchanged")
            elif paths:
                gone = next((path for path in paths if _is_gone(path)), None)
                yield Known(file, gone or paths[0], "moved" if gone else "copied")
                if gone:
                    by_size[file.size_bytes] = [v for v in by_size[file.size_bytes] if v.info.path != gone]


def _content(file: FileStamp) -> str:
    try:
        return content_id(file.path)
    except VideoError:
        return ""  # downloading it will tell


def _is_gone(path: Path) -> bool:
    """Whether an object isn't there any more; a local file may be on a disk that isn't connected."""
    if not isinstance(path, Address):
        return False
    try:
        Address(str(path)).status()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
