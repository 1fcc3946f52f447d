"""Find video files and identify their content. Reads bytes only; decodes nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from centerclip.errors import VideoError
from centerclip.remote import Address, as_place
from centerclip.remote.access import source_of

__all__ = ["VIDEO_SUFFIXES", "content_id", "find_videos", "refuse_lists"]

VIDEO_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m1v", ".m2t", ".m2ts"}
    | {".m2v", ".m4v", ".mkv", ".mjpeg", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut"}
    | {".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv"}
)
"""Suffixes, in any case, by which files in a folder count as videos."""

_LISTS = {
    b"#EXTM3U": "is a playlist, not a video; give the files that it lists",
    b"ffconcat": "is a playlist, not a video; give the files that it lists",
    b"<MPD": "is a playlist, not a video; give the files that it lists",
    b"# VobSub": "is a list of subtitles, not a video",
}
"""How files begin that name other files, after an XML declaration and white space."""
_HEAD_BYTES = 512

_MEBIBYTE = 1 << 20
_WHOLE_BYTES = 4 * _MEBIBYTE


def find_videos(
    paths: Iterable[str | os.PathLike[str]],
    *,
    on_error: Callable[[OSError], None] | None = None,
    is_known: Callable[[Path], bool] = lambda _: False,
) -> Iterator[Path]:
    """Walk files and folders, and yield the videos among them.

    A file named explicitly is always yielded; files inside folders only if their suffix is in
    `VIDEO_SUFFIXES`. Hidden files and folders are skipped, links to folders aren't followed, and duplicate
    paths are yielded once. Links that lead nowhere, pipes and other names that can't be opened as a file are
    yielded too, so that whoever opens them can report them.

    Args:
        paths: files and folders, in the order in which to walk them.
        on_error: called with the error of each folder that can't be listed; its `filename` is the folder. By
            default such folders are skipped.
        is_known: whether an address at which nothing is any more was indexed before, so that it isn't wrong.

    Yields:
        Paths as given, or below the given folder; sorted by name within each folder.

    Raises:
        VideoError: a path doesn't exist.
    """
    seen: set[str] = set()
    for path in map(as_place, paths):
        for video in _videos_at(path, on_error, is_known):
            identity = _identity(video)
            if identity not in seen:
                seen.add(identity)
                yield video


def _videos_at(
    path: Path, on_error: Callable[[OSError], None] | None, is_known: Callable[[Path], bool]
) -> Iterable[Path]:
    if isinstance(path, Address):
        return _objects_at(path, on_error, is_known)
    return _walk(path, on_error) if _is_folder(path) else (path,)


def _objects_at(
    address: Address, on_error: Callable[[OSError], None] | None, is_known: Callable[[Path], bool]
) -> Iterator[Path]:
    """Yield an object, or the videos among those below an address; what can't be looked at counts as one."""
    try:
        if _names_video(address) or not address.listable:
            address.status()
            yield address
            return
    except FileNotFoundError as error:
        if not (address.listable or is_known(address)):
            raise VideoError(f"{address}: {error.strerror}; check the spelling") from error
        if not address.listable:
            return
    except OSError:
        yield address
        return
    empty = True
    try:
        for found in source_of(address).below(address):
            empty = False
            if _names_video(found) and not any(part.startswith(".") for part in found.parts[2:]):
                yield found
        if empty:
            address.status()
            yield address
    except FileNotFoundError as error:
        if not is_known(address):
            raise VideoError(f"{address}: there is no object here or below; check the spelling") from error
    except OSError as error:
        if on_error is not None:
            on_error(OSError(error.errno, error.strerror, str(address)))


def _names_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder; a path that exists but can't be looked at counts as a file."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (
        FileNotFoundError,
        NotADirectoryError,
        ValueError,
    ) as error:  # ValueError: it contains a zero byte
        if isinstance(error, OSError) and path.is_symlink():
            return False
        raise VideoError(f"{path}: there is no such file or folder; check the spelling") from error
    except OSError:
        return False


def _identity(path: Path) -> str:
    """Return the path with its links resolved; a link that leads nowhere stands for itself."""
    if isinstance(path, Address):
        return str(path)
    try:
        return os.path.realpath(path, strict=True)
    except OSError:
        return os.path.abspath(path)


def _walk(folder: Path, on_error: Callable[[OSError], None] | None) -> Iterator[Path]:
    for root, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES:
                yield Path(root, name)


def refuse_lists(path: Path) -> None:
    """Refuse a file that only names others, which FFmpeg would open, and report in their stead.

    Raises:
        VideoError: it is a playlist or a list of subtitles, or can't be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise VideoError(f"{path}: can't be read ({error.strerror})") from error
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"<?xml"):
        head = head.partition(b"?>")[2].lstrip()
    for mark, reason in _LISTS.items():
        if head.startswith(mark):
            raise VideoError(f"{path}: {reason}")


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
        with as_place(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
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
