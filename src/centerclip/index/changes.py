"""Which files have to be indexed: their sizes and times compared with those in the index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from centerclip.index.schema import stored_path
from centerclip.remote import as_place

__all__ = ["KNOWN", "Changes", "FileStamp", "Moved", "compare"]

KNOWN = ("path", "state", "video_id", "size_bytes", "modified_seconds", "reason")
"""What is read of each indexed path: columns of the table of videos."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file at one moment; if size or modification time differ, so does the content."""

    path: Path
    size_bytes: int
    modified_seconds: float

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """Read a file's stamp; raises `OSError` if it can't be looked at."""
        place = as_place(path)
        stat = place.stat()
        return cls(place, stat.st_size, stat.st_mtime)


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


def compare(files: Iterable[FileStamp], known: pa.Table, roots: Sequence[Path]) -> Changes:
    """Sort files by what has to be done with them.

    Args:
        files: the files on disk; of several with the same path, the first counts.
        known: what the index stores about each path, with the columns `KNOWN`.
        roots: files and folders; indexed paths under them that no longer exist are `gone`.
    """
    here: dict[str, FileStamp] = {}
    for file in files:
        here.setdefault(stored_path(file.path), file)
    kinds = _kinds(here, known)
    found = {
        kind: [file for file, its in zip(here.values(), kinds, strict=True) if its == kind]
        for kind in ("new", "changed", "unchanged", "failed")
    }
    paths = pa.array(here, pa.string())
    absent = known.filter(pc.invert(pc.is_in(known["path"], value_set=paths))).sort_by("path")
    moved = _moved(found["new"], absent)
    taken = {move.new.path for move in moved}
    found["new"] = [file for file in found["new"] if file.path not in taken]
    failed = known.filter(pc.equal(known["state"], "failed"))
    reasons = dict(zip(failed["path"].to_pylist(), failed["reason"].to_pylist(), strict=True))
    sorted_ = {kind: tuple(some) for kind, some in found.items()}
    gone = _gone(absent["path"].to_pylist(), roots)
    return Changes(**sorted_, moved=tuple(moved), gone=gone, reasons=reasons)


def _kinds(here: Mapping[str, FileStamp], known: pa.Table) -> list[str]:
    """Return for each file whether it is new, changed, unchanged or failed, without an object per row."""
    row = pc.index_in(pa.array(here, pa.string()), value_set=known["path"])
    before = known.take(row)  # nulls for new files
    sizes = pa.array([file.size_bytes for file in here.values()], pa.int64())
    times = pa.array([file.modified_seconds for file in here.values()], pa.float64())
    same = pc.and_(pc.equal(before["size_bytes"], sizes), pc.equal(before["modified_seconds"], times))
    tried = pc.if_else(pc.equal(before["state"], "failed"), "failed", "unchanged")
    kinds: list[str] = pc.if_else(pc.is_null(row), "new", pc.if_else(same, tried, "changed")).to_pylist()
    return kinds


def _moved(new: Iterable[FileStamp], absent: pa.Table) -> list[Moved]:
    """Pair new files with indexed files of the same size and time that no longer exist."""
    wanted = {(file.size_bytes, file.modified_seconds) for file in new}
    if not wanted:
        return []
    done = absent.filter(pc.equal(absent["state"], "done"))
    columns = (done[name].to_pylist() for name in ("path", "video_id", "size_bytes", "modified_seconds"))
    lost: dict[tuple[int, float], list[tuple[str, str]]] = {}
    for path, video_id, *stamp in zip(*columns, strict=True):
        if (stamp[0], stamp[1]) in wanted and _is_gone(path):
            lost.setdefault((stamp[0], stamp[1]), []).append((path, video_id))
    moved = []
    for file in new:
        candidates = lost.get((file.size_bytes, file.modified_seconds))
        if candidates:
            old, video_id = candidates.pop(0)
            moved.append(Moved(as_place(old), file, video_id))
    return moved


def _gone(absent: Iterable[str], roots: Iterable[Path]) -> tuple[Path, ...]:
    under = [stored_path(root) for root in roots]
    return tuple(
        as_place(path)
        for path in absent
        if any(path == root or path.startswith(root.rstrip("/") + "/") for root in under) and _is_gone(path)
    )


def _is_gone(path: str) -> bool:
    """Whether a path doesn't exist; one that can't be looked at, perhaps only for now, isn't gone."""
    try:
        as_place(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
