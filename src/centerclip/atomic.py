"""Files that are either old or new, never half written, also after a power cut."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a whole file under a temporary name beside it, then rename it into place.

    File and folder are synced, so that the new content survives a power cut once this returns. The temporary
    file's name begins with a dot; it is deleted if writing fails.

    Args:
        path: of the file, which is replaced where it exists; its folder must exist.
        data: the content; a string is written as UTF-8.

    Raises:
        OSError: the file can't be written.
    """
    content = data.encode() if isinstance(data, str) else data
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with open(part, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
