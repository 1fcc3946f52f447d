"""Files that are either old or new, never half written, even after a power cut."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_file", "give_name", "make_folder", "sync", "write_atomically"]


def write_atomically(path: Path, data: bytes | memoryview | str) -> None:
    """Replace a file by new content: all of it, or nothing if writing fails.

    Args:
        path: the file, which need not exist; its folder must.
        data: the content; a string is written as UTF-8.

    Raises:
        OSError: the file can't be written.
    """
    with atomic_file(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file next to `path` for writing; on success sync it and rename it to `path`.

    The folder is synced too, so the new content survives a power cut. The temporary file is named
    `.*.part`; it is deleted on any error, but not if the process is killed.

    Args:
        path: the file, which need not exist; its folder must.

    Raises:
        OSError: the file can't be written.
    """
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


def give_name(part: Path, target: Path) -> None:
    """Move a finished file to a name that is free, and wait until that is on the disk.

    Args:
        part: the file.
        target: in the same folder.

    Raises:
        FileExistsError: the name is taken; nothing has changed.
        OSError: the file can't be moved.
    """
    sync(part)
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, as on memory cards
        with open(target, "xb"):
            pass
        os.replace(part, target)
    else:
        part.unlink()
    sync(target.parent)


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    if os.name == "nt":  # where folders can't be opened, and only files that may be written can be waited for
        if path.is_dir():
            return
        handle = os.open(path, os.O_RDWR)
    else:
        handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if missing, and wait until they are on the disk.

    Raises:
        OSError: a folder can't be made.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)
