"""Find video files and identify their content. Reads bytes only; decodes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from centerclip.errors import VideoError

__all__ = ["VIDEO_SUFFIXES", "content_id", "find_videos"]

VIDEO_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m1v", ".m2t", ".m2ts"}
    | {".m2v", ".m4v", ".mkv", ".mjpeg", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut"}
    | {".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv"}
)
"""Suffixes, in any case, by which files in a folder count as videos."""

_MEBIBYTE = 1 << 20
_WHOLE_BYTES = 4 * _MEBIBYTE


def find_videos(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Walk files and folders, and yield the videos among them.

    A file named explicitly is always yielded; files inside folders only if their suffix is in
    `VIDEO_SUFFIXES`. Hidden files and folders are skipped, links to folders aren't followed, and duplicate
    paths are yielded once.

    Args:
        paths: files and folders, in the order in which to walk them.

    Yields:
        Paths as given, or below the given folder; sorted by name within each folder.

    Raises:
        VideoError: a path doesn't exist.
    """
    seen: set[Path] = set()
    for path in map(Path, paths):
        if not path.exists():
            raise VideoError(f"{path}: there is no such file or folder; check the spelling")
        for video in _walk(path) if path.is_dir() else (path,):
            identity = video.resolve()
            if identity not in seen:
                seen.add(identity)
                yield video


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES:
                yield Path(root, name)


def content_id(path: str | os.PathLike[str]) -> str:
    """Hash a file's content, so that a moved or renamed file keeps its identity.

    BLAKE2b over the size and the content: all of it up to 4 MiB; of a larger file the first, middle and last
    MiB, so that hashing takes constant time. Two large files of equal size that differ only elsewhere get the
    same hash; encoded videos practically never do.

    Returns:
        32 hexadecimal digits.

    Raises:
        VideoError: the file can't be read.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = blake2b(str(size).encode(), digest_size=16)
            if size <= _WHOLE_BYTES:
                digest.update(file.read())
            else:
                for offset in (0, (size - _MEBIBYTE) // 2, size - _MEBIBYTE):
                    file.seek(offset)
                    digest.update(file.read(_MEBIBYTE))
    except OSError as error:
        raise VideoError(f"{os.fspath(path)}: can't be read ({error.strerror})") from error
    return digest.hexdigest()
