"""Reads when files were recorded that an earlier version indexed without it, and encodes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from centerclip.errors import VideoError
from centerclip.index import FileStamp, Writer
from centerclip.index.schema import stored_path
from centerclip.records import Recorded
from centerclip.video import Decoders, read_recorded

__all__ = ["date_files"]

_BATCH = 200
"""Files between two writes, each of which takes about 40 ms."""
_THREADS = 4


def date_files(files: Iterable[FileStamp], writer: Writer, *, should_stop: Callable[[], bool]) -> None:
    """Read and store the dates of files that the index has, but without a date; the rest is left alone.

    A file that can't be opened any more counts as one that doesn't say.
    """
    undated = writer.undated()
    if not undated:  # as in every index of this version
        return
    todo = [file for file in files if stored_path(file.path) in undated]
    decoders = Decoders()

    def look(file: FileStamp) -> tuple[FileStamp, Recorded | None]:
        try:
            return file, read_recorded(file.path, decoders)
        except VideoError:
            return file, None

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="centerclip-date") as pool:
        for at in range(0, len(todo), _BATCH):
            if should_stop():
                return
            writer.date(list(pool.map(look, todo[at : at + _BATCH])))
