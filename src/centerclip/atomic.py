"""Write files as a whole or not at all, even if the power fails."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: Path, data: bytes | memoryview | str) -> None:
    """Write a file under a temporary name in the same folder, then rename it.

    File and folder are synced, so once this returns the content survives a power failure. The temporary name
    begins with a dot; the temporary file is deleted if writing fails.

    Args:
        path: is replaced if it exists; its folder must exist.
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
