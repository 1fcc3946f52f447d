"""The folder of a copy of an index: whose copy it holds, and the process that uses it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from centerclip.atomic import make_folder, write_atomically
from centerclip.errors import IndexStoreError
from centerclip.index.head import HEAD

__all__ = ["PART", "CopyFolder"]

PART = ".part"
"""How the names of files end that aren't complete."""
_MARK, _LOCK = ".mirror.json", ".mirror.lock"
_SPARE = 256 << 20
"""Bytes of the disk that stay free."""


class CopyFolder:
    """A folder for one copy, which one process uses at a time.

    Args:
        path: need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path.expanduser()))
        self._lock = FileLock(self.path / _LOCK, thread_local=False)

    @property
    def location(self) -> object:
        """The address of the index that it holds a copy of, also of a part of it; None if of none."""
        return self._mark().get("location")

    @property
    def index_id(self) -> object:
        """The id of that index; "" before the first file."""
        return self._mark().get("id")

    def claim(self, location: str) -> None:
        """Take the folder if it is empty or holds a copy of this index.

        Raises:
            IndexStoreError: it holds something else, is used by another process, or can't be written.
        """
        found = self.location
        if found != location and self._holds_something():
            what = f"the copy of {found}" if found else "something else"
            raise IndexStoreError(f"{self.path} holds {what}: choose an empty or new folder with --mirror")
        try:
            make_folder(self.path)
            self._lock.acquire(timeout=0)
            if found is None:
                self._write_mark(location, "")
        except Timeout:
            raise IndexStoreError(
                f"another process uses the folder {self.path}: give each replica its own --mirror"
            ) from None
        except OSError as error:
            raise self.unwritable(error) from error

    def release(self) -> None:
        """Let another process take the folder."""
        self._lock.release()

    def empty(self, index_id: str) -> None:
        """Delete everything, because other files of the same names follow, of the index with this id."""
        (self.path / HEAD).unlink(missing_ok=True)
        for table in sorted(self.path.glob("*.lance"), key=lambda table: table.stem != "meta"):
            shutil.rmtree(table)
        self._write_mark(str(self.location), index_id)

    def has(self, name: str, size: int) -> bool:
        """Whether a file is there, with all its bytes."""
        try:
            return (self.path / name).stat().st_size == size
        except FileNotFoundError:
            return False

    def files(self) -> Iterator[str]:
        """Yield the names of the copied files, also of half copied ones."""
        for path in self.path.glob("*.lance/**/*"):
            if path.is_file():
                yield path.relative_to(self.path).as_posix()

    def lacking(self, size_bytes: int) -> str:
        """Say how files of this size, some of which may be half copied, don't fit; "" if they do."""
        begun = sum(file.stat().st_size for file in self.path.rglob(f".*{PART}"))
        wanted, free = size_bytes - begun + _SPARE, shutil.disk_usage(self.path).free
        if wanted <= free:
            return ""
        return (
            f"{wanted / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free at {self.path}: choose another "
            "--mirror, or make room"
        )

    def unwritable(self, error: OSError) -> IndexStoreError:
        """Return the error that a file in the folder can't be written."""
        reason = error.strerror or error
        return IndexStoreError(f"{self.path} can't be written: {reason}. Choose another --mirror")

    def _mark(self) -> dict[str, object]:
        with suppress(OSError, ValueError):
            found = json.loads((self.path / _MARK).read_bytes())
            if isinstance(found, dict):
                return found
        return {}

    def _write_mark(self, location: str, index_id: str) -> None:
        write_atomically(self.path / _MARK, json.dumps({"location": location, "id": index_id}))

    def _holds_something(self) -> bool:
        """Whether the folder has files but those that are left if a process is killed while it takes it."""
        if not self.path.exists():
            return False
        return any(name != _LOCK and not name.endswith(PART) for name in os.listdir(self.path))
