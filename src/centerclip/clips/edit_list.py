"""Lists of moments for editing programs: which frames of which files, one after the other.

Editing programs count frames, so each file's frame rate, start timecode, reel and sound are read first. A
file whose rate varies is listed as if it had the nearest standard rate, as these programs treat it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import quote

from centerclip.clips.looking import look
from centerclip.clips.moment import Moment
from centerclip.records import Failed
from centerclip.remote import as_place, is_address
from centerclip.video.media import Media
from centerclip.video.timecode import Timecode

__all__ = ["EDIT_LISTS", "EditList", "Entry", "make_edit_list"]

EDIT_LISTS = ("edl", "fcpxml", "otio", "csv")
"""The formats of lists: CMX 3600, Final Cut Pro's XML, OpenTimelineIO, and a table."""
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Entry:
    """A moment in frames: `frames` of its file from frame `first` on, at the file's own rate."""

    moment: Moment
    media: Media
    first: int
    frames: int

    @property
    def start(self) -> Timecode:
        """Timecode of the first frame of the moment."""
        return self.media_start + self.first

    @property
    def media_start(self) -> Timecode:
        """Timecode of the file's first frame: zero if it has none."""
        return self.media.timecode or Timecode(0, self.media.rate)

    @property
    def name(self) -> str:
        """The file's name on one line."""
        kind = PureWindowsPath if _WINDOWS.match(self.place) else PurePosixPath
        return _CONTROL.sub("?", kind(self.place).name)

    @property
    def place(self) -> str:
        """Where the file is: an absolute path, or one relative to the reader's library."""
        return self.moment.place or str(self.moment.path.absolute())

    @property
    def url(self) -> str:
        """`place` as an address, with spaces and letters beyond ASCII encoded."""
        if _WINDOWS.match(self.place):
            return PureWindowsPath(self.place).as_uri()
        if is_address(as_place(self.place)):
            return self.place if self.place.startswith("http") else quote(self.place, safe="/:")
        if self.place.startswith("/"):
            return PurePosixPath(self.place).as_uri()
        return quote(self.place.encode("utf-8", "surrogateescape"))

    @property
    def channels(self) -> int:
        """Number of sound channels, in all tracks."""
        return sum(track.channels for track in self.media.sounds)


@dataclass(frozen=True)
class EditList:
    """Moments in order: a title and at least one entry."""

    title: str
    entries: tuple[Entry, ...]

    @cached_property
    def rate(self) -> Fraction:
        """Frames per second of the list: the rate of most of the footage."""
        seconds: Counter[Fraction] = Counter()
        for entry in self.entries:
            seconds[entry.media.rate] += entry.frames / entry.media.rate  # type: ignore[assignment]
        return max(seconds, key=lambda rate: (seconds[rate], rate))

    @property
    def drop(self) -> bool:
        """Whether the list's own timecode drops numbers: if a file's does."""
        return any(entry.media_start.drop for entry in self.entries if entry.media.rate == self.rate)

    def length(self, entry: Entry) -> int:
        """An entry's length in frames of the list."""
        return max(1, round(entry.frames * self.rate / entry.media.rate))

    def notes(self, kinds: Iterable[str]) -> list[str]:
        """What the reader has to know: where the list, written as these `EDIT_LISTS`, can't be exact."""
        notes = []
        uneven = list(dict.fromkeys(entry.name for entry in self.entries if not entry.media.constant))
        if uneven:
            whose = f"{uneven[0]} has" if len(uneven) == 1 else f"{uneven[0]} and {len(uneven) - 1} more have"
            notes.append(
                f"{whose} a variable frame rate: cuts in the list may be off by a few frames, unlike clips"
            )
        others = {entry.media.rate for entry in self.entries} - {self.rate}
        if others and set(kinds) - {"csv"}:  # a table has each moment at its own rate
            rates = ", ".join(f"{float(rate):.6g}" for rate in sorted(others))
            notes.append(
                f"the files have several frame rates: the list has {float(self.rate):.6g} per second, and "
                f"moments of {rates} are rounded to its frames"
            )
        return notes

    def written(self, kind: str) -> str:
        """Write the list in one of `EDIT_LISTS`."""
        return _writer(kind)(self)


def make_edit_list(moments: Iterable[Moment], title: str) -> tuple[EditList | None, list[Failed]]:
    """Make a list of moments; files that can't be read are left out and returned with the reason.

    Returns:
        The list, or None if no file can be read; and the failures.
    """
    moments = tuple(moments)
    known = look(moment.path for moment in moments)
    entries: list[Entry] = []
    for moment in moments:
        media = known[moment.path]
        if isinstance(media, Media):
            first = media.frame_at(moment.start)
            last = max(first + 1, min(-int(-(moment.end - 1e-6) * media.rate // 1), media.frames))
            entries.append(Entry(moment, media, first, last - first))
    unread = [media for media in known.values() if isinstance(media, Failed)]
    title = _CONTROL.sub(" ", title).strip() or "CenterCLIP"
    return (EditList(title, tuple(entries)) if entries else None), unread


def _writer(kind: str) -> Callable[[EditList], str]:
    from centerclip.clips import edl, fcpxml, otio, table  # they need this module's types

    return {"edl": edl.write, "fcpxml": fcpxml.write, "otio": otio.write, "csv": table.write}[kind]
