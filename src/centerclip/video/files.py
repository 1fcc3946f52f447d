"""Finding video files and telling their contents apart. Opens them as bytes only; decodes nothing."""

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
"""What a file in a folder must end with, in any case, to be taken for a video."""

_MEBIBYTE = 1 << 20
_WHOLE_BYTES = 4 * _MEBIBYTE


def find_videos(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Walk files and folders, and yield the videos among them.

    A file named explicitly is yielded whatever its name; in a folder, and in those below it, a file
    counts by `VIDEO_SUFFIXES`. Hidden files and folders are passed over, links to folders are not
    followed, and a path that turns up twice is yielded once.

    Args:
        paths: files and folders, in the order in which to walk them.

    Yields:
        Paths as given or below the given folder, each folder's in order of name.

    Raises:
        VideoError: a path that does not exist.
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
    """Hash what is in a file, so that a moved or renamed one keeps its identity.

    BLAKE2b over the size in bytes and the content: all of it up to 4 MiB; of a larger file the first
    MiB, the MiB in the middle and the last MiB, so that a film costs no more than a clip. Two files of
    the same size that differ only elsewhere count as one; encoders' output practically never does.

    Returns:
        32 hexadecimal digits.

    Raises:
        VideoError: a file that can't be read.
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
