"""Writes a list as an EDL (CMX 3600), which every editing program reads."""

from __future__ import annotations

import re
from collections.abc import Iterable

from centerclip.clips.edit_list import EditList, Entry
from centerclip.video.timecode import Timecode

__all__ = ["write"]

_REEL_LETTERS = 8
"""What the format allows."""
_OTHER = re.compile(r"[^A-Za-z0-9_]+")


def write(edits: EditList) -> str:
    """Write a list. An EDL has one frame rate, so all timecodes are counted in it."""
    lines = [f"TITLE: {edits.title}", f"FCM: {'DROP FRAME' if edits.drop else 'NON-DROP FRAME'}", ""]
    reels = _reels(edits.entries)
    record = Timecode(0, edits.rate, drop=edits.drop)
    for number, entry in enumerate(edits.entries, start=1):
        length = edits.length(entry)
        frames = round(entry.start.frames * edits.rate / entry.media.rate)
        source = Timecode(frames, edits.rate, drop=entry.media_start.drop)
        times = f"{source} {source + length} {record} {record + length}"
        lines.append(f"{number:03d}  {reels[entry.place]:<8} {_channels(entry):<5} C        {times}")
        lines.append(f"* FROM CLIP NAME: {entry.name}")
        lines.append(f"* SOURCE FILE: {entry.place if entry.place.isprintable() else entry.url}")
        lines.append("")
        record += length
    return "\n".join(lines)


def _channels(entry: Entry) -> str:
    """Picture with the first two sound channels, as far as there are any."""
    return ("V", "B", "AA/V")[min(entry.channels, 2)]


def _reels(entries: Iterable[Entry]) -> dict[str, str]:
    """Name each file's reel: by its camera, or else after the file, different for each."""
    named: dict[str, str] = {}
    for entry in entries:
        if entry.place in named:
            continue
        own = "".join(entry.media.reel.split())
        plain = _OTHER.sub("", entry.name.rpartition(".")[0]).upper() or "CLIP"
        reel, number = own if own.isascii() and own.isprintable() and own else plain[:_REEL_LETTERS], 2
        while reel in named.values() and reel != own:
            tail = str(number)
            reel, number = plain[: _REEL_LETTERS - len(tail)] + tail, number + 1
        named[entry.place] = reel
    return named
