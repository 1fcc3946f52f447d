"""What the command line says about the files of hits: when they were recorded, and whether they are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from centerclip.remote import may_exist

if TYPE_CHECKING:
    from centerclip.index import VideoIndex

__all__ = ["FileFacts", "facts_of", "iso_time"]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """About a file of the index.

    Attributes:
        recorded: ISO date and time in the zone of the place, or else in this machine's; "" if unknown.
        recorded_source: `container`, or `modified` if that is the time when the file was changed.
        missing: whether the file isn't there.
    """

    recorded: str = ""
    recorded_source: str = "modified"
    missing: bool = False


def facts_of(store: VideoIndex, paths: Iterable[Path]) -> Mapping[Path, FileFacts]:
    """Look files up in the index and on the disk; each of `paths` is in the result."""
    from centerclip.index.schema import stored_path
    from centerclip.index.sql import any_of

    wanted = list(dict.fromkeys(paths))
    known = store.videos(any_of("path", map(stored_path, wanted))) if wanted else []
    found = {path: FileFacts(missing=not may_exist(path)) for path in wanted}
    for video in known:
        info = video.info
        if info.path in found:
            recorded = iso_time(info.recorded_seconds, info.recorded_zone)
            found[info.path] = FileFacts(recorded, info.recorded_source, found[info.path].missing)
    return found


def iso_time(seconds: float, zone_minutes: int | None = None) -> str:
    """Format an instant in a zone, by default this machine's; "" if no calendar has it."""
    with suppress(ValueError, OverflowError, OSError):
        if zone_minutes is not None:
            zone = timezone(timedelta(minutes=zone_minutes))
            return datetime.fromtimestamp(seconds, zone).isoformat(timespec="seconds")
        return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
    return ""
