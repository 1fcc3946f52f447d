"""Ways in which a power cut or a faulty disk damages files, and the files of an index to damage."""

from __future__ import annotations

import os
from pathlib import Path

from centerclip.index import VideoIndex
from centerclip.index.schema import KEYS
from centerclip.index.versions import manifests


def empty(file: Path) -> None:
    os.truncate(file, 0)


def halve(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def zero(file: Path) -> None:
    file.write_bytes(b"\0" * file.stat().st_size)


DAMAGES = (empty, halve, zero)


def newest(index: VideoIndex, name: str, kind: str = "_versions/*.manifest") -> Path:
    """Return the newest file of a table."""
    files = Path(index.location, f"{name}.lance").glob(kind)
    return max(files, key=lambda file: file.stat().st_mtime_ns)


def keep_only_the_newest_versions(index: VideoIndex) -> None:
    for name in KEYS:
        for file in list(manifests(index.location, name).values())[1:]:
            file.unlink()
