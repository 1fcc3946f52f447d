"""Which files were being decoded when a run vanished: a note in the index's folder.

Worker processes decode, but a file may still end the program itself, for example when the system kills it
for lack of memory. A run that ends by itself, even by an error or a signal, clears its note; one that
vanishes leaves it. An index in object storage has no note.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from centerclip.index import FileStamp
from centerclip.index.schema import stored_path
from centerclip.index.summary import is_remote
from centerclip.indexing.sharing import Shard

__all__ = ["NOTE", "VANISHED", "Attempts"]

NOTE = ".attempts.json"
VANISHED = (
    "indexing was killed twice while decoding it, perhaps because memory ran out; to try it again: "
    "centerclip index --retry-failed"
)
_MOST = 2
"""How often a run may vanish while it decodes a file."""

_Content: TypeAlias = tuple[str, int, float]
"""Path, size and time: a file that has changed is tried again."""


class Attempts:
    """What the runs that vanished were decoding, and what this one is. Safe to use from many threads.

    Args:
        location: of the index, whose lock is held.
        shard: the part of the files that this run does, while runs with notes of their own do the others.
    """

    def __init__(self, location: str, shard: Shard | None = None) -> None:
        name = NOTE if shard is None else f".attempts-{shard.number}-of-{shard.count}.json"
        self._note = None if is_remote(location) else Path(location, name)
        self._lock = Lock()
        self._vanished: dict[_Content, int] = {}
        self._decoding: set[_Content] = set()
        # The note is no part of the index: if it can't be read, each file is tried once more.
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            noted = json.loads(self._note.read_text(encoding="utf-8")) if self._note else {}
            for path, size, modified, count in noted.get("vanished", ()):
                self._vanished[str(path), int(size), float(modified)] = int(count)
            for path, size, modified in noted.get("decoding", ()):
                content = str(path), int(size), float(modified)
                self._vanished[content] = self._vanished.get(content, 0) + 1

    def sort(self, files: Iterable[FileStamp]) -> tuple[list[FileStamp], list[FileStamp], list[FileStamp]]:
        """Return the files no run vanished with, those one did, which must be tried alone, and the others."""
        sorted_: tuple[list[FileStamp], list[FileStamp], list[FileStamp]] = ([], [], [])
        for file in files:
            sorted_[min(self._vanished.get(_content(file), 0), _MOST)].append(file)
        return sorted_

    def begin(self, file: FileStamp) -> None:
        """Note that a file is about to be decoded."""
        with self._lock:
            self._decoding.add(_content(file))
            self._write()

    def end(self, file: FileStamp) -> None:
        """Note that a file isn't being decoded any more."""
        with self._lock:
            self._decoding.discard(_content(file))
            self._write()

    def forget(self, file: FileStamp) -> None:
        """Forget the runs that vanished with a file, because the index now says what came of it."""
        with self._lock:
            if self._vanished.pop(_content(file), None) is not None:
                self._write()

    def close(self) -> None:
        """Note that this run hasn't vanished."""
        with self._lock:
            self._decoding.clear()
            self._write()

    def _write(self) -> None:
        """Replace the note, without waiting for the disk."""
        if self._note is None:
            return
        with suppress(OSError):  # a full disk; the index will report it
            if not (self._vanished or self._decoding):
                self._note.unlink(missing_ok=True)
                return
            vanished = [(*content, count) for content, count in self._vanished.items()]
            part = self._note.with_suffix(".part")
            text = json.dumps({"vanished": vanished, "decoding": sorted(self._decoding)})
            part.write_text(text, encoding="utf-8")
            os.replace(part, self._note)


def _content(file: FileStamp) -> _Content:
    return stored_path(file.path), file.size_bytes, file.modified_seconds
