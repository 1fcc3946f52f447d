"""A moment to cut or to list, and the name of its file."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["Moment", "clip_name", "clip_suffix", "safe_stem"]

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff\u200e\u200f\u2028-\u202e\u2066-\u2069]')
"""What Windows forbids in names, can't be written as UTF-8, or changes how a name is displayed."""
_NAME_BYTES = 180
"""Most file systems allow 255 bytes; encrypted ones fewer."""
_PROFESSIONAL = {".mov", ".qt", ".mxf"}


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of a file, in seconds from its first frame.

    Attributes:
        rank: 1 is the best hit.
        score: its cosine; None if it doesn't come from a search.
        place: the file as others know it: an absolute path on their machine, or a path relative to their
            library; "" if that is `path`.
    """

    path: Path
    start: float
    end: float
    rank: int = 1
    score: float | None = None
    place: str = ""

    def padded(self, seconds: float) -> Moment:
        """Return the moment with some seconds before and after it, as far as the file has them."""
        return replace(self, start=max(0.0, self.start - seconds), end=self.end + seconds)


def clip_name(moment: Moment, *, digits: int = 2) -> str:
    """Name a moment's clip so that clips sort by rank and tell where they come from.

    The name is valid on every system: `01_four seasons_00-01-23.480.mp4`.

    Args:
        moment: from a file of any name.
        digits: of the rank.
    """
    thousandths = round(moment.start * 1000)
    hours, rest = divmod(thousandths, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    at = f"{hours:02d}-{minutes:02d}-{rest // 1000:02d}.{rest % 1000:03d}"
    return f"{moment.rank:0{digits}d}_{safe_stem(moment.path.stem)}_{at}{clip_suffix(moment.path)}"


def safe_stem(text: str) -> str:
    """Make a part of a file's name that is valid on every system."""
    stem = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).strip(" .") or "video"
    return stem.encode()[:_NAME_BYTES].decode(errors="ignore").rstrip(" .")


def clip_suffix(path: Path) -> str:
    """The format of a file's clips: .mov for formats of cameras and editing programs, otherwise .mp4."""
    return ".mov" if path.suffix.lower() in _PROFESSIONAL else ".mp4"
