"""Which files have to be indexed: their sizes and times compared with those in the index."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from centerclip.index.schema import stored_path

__all__ = ["Changes", "FileStamp", "Known", "Moved", "compare"]


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file at one moment; if size or modification time differ, so does the content."""

    path: Path
    size_bytes: int
    modified_seconds: float

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """Read a file's stamp; raises `OSError` if it can't be looked at."""
        stat = os.stat(path)
        return cls(Path(path), stat.st_size, stat.st_mtime)


@dataclass(frozen=True, slots=True)
class Known:
    """What the index stores about one path."""

    state: str
    video_id: str
    size_bytes: int
    modified_seconds: float
    reason: str = ""

    def matches(self, file: FileStamp) -> bool:
        return (self.size_bytes, self.modified_seconds) == (file.size_bytes, file.modified_seconds)


@dataclass(frozen=True, slots=True)
class Moved:
    """An indexed file that is gone, and a new one of the same size and time: very likely the same content.

    If the content hash of `new` is `video_id`, `Writer.move` avoids encoding it again.
    """

    old: Path
    new: FileStamp
    video_id: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Each file is in one of `new`, `changed`, `unchanged`, `failed` or `moved`.

    `failed` files failed before and haven't changed since. `gone` are indexed paths under the given roots
    that no longer exist, including the old paths of `moved`. `reasons` says why each path in the index that
    failed did so, whether it is among the files or not.
    """

    new: tuple[FileStamp, ...]
    changed: tuple[FileStamp, ...]
    unchanged: tuple[FileStamp, ...]
    failed: tuple[FileStamp, ...]
    moved: tuple[Moved, ...]
    gone: tuple[Path, ...]
    reasons: Mapping[str, str]


def compare(files: Iterable[FileStamp], known: Mapping[str, Known], roots: Sequence[Path]) -> Changes:
    """Sort files by what has to be done with them."""
    here: dict[str, FileStamp] = {}
    for file in files:
        here.setdefault(stored_path(file.path), file)
    found: dict[str, list[FileStamp]] = {"new": [], "changed": [], "unchanged": [], "failed": []}
    for path, file in here.items():
        before = known.get(path)
        if before is None:
            found["new"].append(file)
        elif not before.matches(file):
            found["changed"].append(file)
        else:
            found["failed" if before.state == "failed" else "unchanged"].append(file)
    moved = _moved(found["new"], known, here)
    taken = {move.new.path for move in moved}
    found["new"] = [file for file in found["new"] if file.path not in taken]
    sorted_ = {kind: tuple(some) for kind, some in found.items()}
    reasons = {path: before.reason for path, before in known.items() if before.state == "failed"}
    return Changes(**sorted_, moved=tuple(moved), gone=_gone(known, here, roots), reasons=reasons)


def _moved(new: Iterable[FileStamp], known: Mapping[str, Known], here: Collection[str]) -> list[Moved]:
    """Pair new files with indexed files of the same size and time that no longer exist."""
    wanted = {(file.size_bytes, file.modified_seconds) for file in new}
    lost: dict[tuple[int, float], list[str]] = {}
    for path, before in known.items():
        stamp = (before.size_bytes, before.modified_seconds)
        if stamp in wanted and before.state == "done" and path not in here and _is_gone(path):
            lost.setdefault(stamp, []).append(path)
    moved = []
    for file in new:
        candidates = lost.get((file.size_bytes, file.modified_seconds))
        if candidates:
            old = candidates.pop(0)
            moved.append(Moved(Path(old), file, known[old].video_id))
    return moved


def _gone(known: Iterable[str], here: Iterable[str], roots: Iterable[Path]) -> tuple[Path, ...]:
    under = [stored_path(root) for root in roots]
    return tuple(
        Path(path)
        for path in sorted(set(known).difference(here))
        if any(path == root or path.startswith(root.rstrip("/") + "/") for root in under) and _is_gone(path)
    )


def _is_gone(path: str) -> bool:
    """Whether a path doesn't exist; one that can't be looked at, perhaps only for now, isn't gone."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
