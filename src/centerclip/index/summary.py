"""What an index holds, readable without opening it: importing the store takes half a second.

A finished run leaves the summary beside the tables. It counts only while every file of the index is as it was
then; nothing else relies on it, so it may be deleted or out of date.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from centerclip.atomic import write_atomically
from centerclip.index.card import ModelCard
from centerclip.index.head import read_head

__all__ = ["Stats", "Summary", "is_remote", "load_summary", "local_bytes", "save_summary", "summarize"]

_FILE = ".summary.json"
_KEPT = ("videos", "windows", "failed", "footage_seconds", "search", "version", "cues")


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of an index; `videos` and `footage_seconds` count the files that didn't fail.

    `search` is `exact` or `ann`; `version` grows with every write; `cues` are the pieces of speech.
    """

    location: str
    model: ModelCard
    videos: int
    windows: int
    failed: int
    footage_seconds: float
    size_bytes: int
    search: str
    version: int
    cues: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """An index's figures, and the path and the reason of each file that couldn't be encoded, by path."""

    stats: Stats
    failures: tuple[tuple[str, str], ...]


def summarize(
    location: str, *, create: bool, storage_options: Mapping[str, str] | None = None
) -> Summary | None:
    """Summarize an index; None if it is new, which `create` allows.

    Raises:
        IndexStoreError: there is no index and `create` is false, or it can't be read.
    """
    if not (is_remote(location) or storage_options):
        if create and not os.path.exists(location):
            return None
        if (found := load_summary(location)) is not None:
            return found
    from centerclip.index.video_index import VideoIndex

    index = VideoIndex(location, create=create, storage_options=storage_options)
    if index.model is None:
        return None
    failures = ((str(video.info.path), video.reason) for video in index.failed())
    return Summary(index.stats(), tuple(failures))


def save_summary(summary: Summary) -> None:
    """Leave a summary beside the tables of a local index, whose lock the caller holds."""
    stats = summary.stats
    content = {
        "stamp": _stamp(stats.location),
        "model": stats.model.to_json(),
        "stats": {name: value for name, value in asdict(stats).items() if name in _KEPT},
        "failures": summary.failures,
    }
    write_atomically(Path(stats.location, _FILE), json.dumps(content))


def load_summary(location: str) -> Summary | None:
    """Read the summary of a local index; None if there is none, or if the index has changed since."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(Path(location, _FILE).read_bytes())
        if content["stamp"] == _stamp(location):
            stats = Stats(
                location=location,
                model=ModelCard.from_json(content["model"]),
                size_bytes=local_bytes(location),
                **content["stats"],
            )
            return Summary(stats, tuple((path, reason) for path, reason in content["failures"]))
    return None


def is_remote(location: str) -> bool:
    """Whether a location is an address in object storage."""
    return "://" in location


def local_bytes(location: str) -> int:
    """Return the size of a folder's files, except those that a writer deletes meanwhile."""
    return sum(stat.st_size for _, stat in _files(location))


def _files(location: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield a folder's files, with paths relative to it."""
    for folder, _, names in os.walk(location):  # which skips folders that vanished or can't be listed
        for name in names:
            file = os.path.join(folder, name)
            with suppress(OSError):
                yield os.path.relpath(file, location), os.stat(file)


def _stamp(location: str) -> str:
    """Return a value that changes with each commit to a table, and whenever one of the tables' files does.

    So a summary says nothing about an index that a power cut damaged, or that was rolled back.
    """
    digest = hashlib.sha256(read_head(location) or b"")
    for name, stat in sorted(_files(location)):
        if ".lance" in name.split(os.sep)[0]:
            digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
