"""Formats times, durations, sizes, counts and paths for people. Pure functions."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["about", "clock", "count", "duration", "multiple", "short_path", "shorten", "size", "visible"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNITS = ("B", "kB", "MB", "GB", "TB")


def clock(seconds: float) -> str:
    """Format a time in a video: `0:07.5`, `12:00.0`, `1:02:03.0`."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def duration(seconds: float) -> str:
    """Format a length of time: `4.2 s`, `8 min 20 s`, `5 h 12 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def about(seconds: float) -> str:
    """Format a length of time that is a guess: `40 s`, `12 min`, `5 h 12 min`."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def multiple(speed: float) -> str:
    """Format seconds of footage per second of time: `18x real time`, `0.4x real time`."""
    return f"{speed:,.0f}x real time" if speed >= 9.95 else f"{speed:.1f}x real time"


def size(size_bytes: float) -> str:
    """Format bytes in powers of 1000, like `df -H` and file managers: `4.2 MB`."""
    for unit in _UNITS:
        if size_bytes < 999.5 or unit == _UNITS[-1]:
            break
        size_bytes /= 1000
    return f"{size_bytes:.0f} {unit}" if unit == "B" or size_bytes >= 99.95 else f"{size_bytes:.1f} {unit}"


def count(number: int, noun: str) -> str:
    """Format a number with its noun: `1 file`, `1,024 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def visible(text: str) -> str:
    """Escape control characters, which file names can contain, so that text is safe to print on one line."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def short_path(path: str | os.PathLike[str]) -> str:
    """Shorten a path as its owner would type it: relative to the working folder, or `~` for home.

    An address such as `s3://bucket/prefix` stays as it is.
    """
    if "://" in (text := os.fspath(path)):
        return visible(text)
    path = Path(text)
    for folder, prefix in ((Path.cwd(), Path()), (Path.home(), Path("~"))):
        if path.is_absolute() and path.is_relative_to(folder):
            return visible(str(prefix / path.relative_to(folder)))
    return visible(str(path))


def shorten(text: str, width: int) -> str:
    """Cut off the front of a path that is wider than `width` terminal cells; its end names the file."""
    from rich.cells import cell_len  # not needed for help texts

    if cell_len(text) <= width:
        return text
    kept = text
    while kept and cell_len(kept) > width - 1:
        kept = kept[1:]
    return "…" + kept
