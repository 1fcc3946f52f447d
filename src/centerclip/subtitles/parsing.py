"""From the bytes of a subtitle file to cues: its times, and its words without markup."""

from __future__ import annotations

import html
import math
import re
import warnings
from collections.abc import Iterable

from centerclip.errors import VideoError
from centerclip.records import Cue
from centerclip.subtitles.encodings import decode

__all__ = ["MOST_BYTES", "MOST_CUES", "clean_text", "parse_subtitles", "tidy_cues"]

MOST_BYTES = 16 << 20
"""Of a subtitle file. That of a film has 200 KB, one whose letters are animated several MB."""
MOST_CUES = 100_000
_MOST_LETTERS = 2000
"""Of a cue."""
_MOST_SECONDS = 7 * 86_400
_SHORTEST_SECONDS = 0.001
_SHOWN_SECONDS = 2.0
"""How long a cue lasts that doesn't end after its start."""
_TOUCHING_SECONDS = 0.1

_FORMATS = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ssa"}
_OVERRIDE = re.compile(r"\{[^{}]*\}")
_TAG = re.compile(r"</?(?:[A-Za-z][^<>]*|[\d:.]+)?>")
"""As in HTML and WebVTT: `<b>`, `<c.yellow>`, `<00:01.000>`. `2 < 3 > 1` isn't one."""
_SPACES = re.compile(r"[^\S\n]+")


def parse_subtitles(content: bytes, suffix: str, *, language: str = "") -> list[Cue]:
    """Parse a subtitle file.

    Args:
        content: of the file, of any encoding.
        suffix: one of `SUBTITLE_SUFFIXES`.
        language: its code, if the file's name says it, which helps to find out the encoding.

    Returns:
        Cues in order of start, with words; see `tidy_cues`.

    Raises:
        VideoError: it is too large, isn't text, or has no cue.
    """
    if len(content) > MOST_BYTES:
        raise VideoError(f"has more than {MOST_BYTES >> 20} MB, too many for subtitles")
    if not content.strip():
        raise VideoError("is empty")
    text = decode(content, language)

    from pysubs2 import Pysubs2Error, SSAFile  # half of the processes never need it

    kind = _FORMATS[suffix.lower()]
    if kind in {"srt", "vtt"}:
        kind = "vtt" if text.lstrip().startswith("WEBVTT") else kind
    else:
        kind = "ass" if "[V4+ Styles]" in text else "ssa"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about colors and alignments
            events = SSAFile.from_string(text, format_=kind).events
    except (Pysubs2Error, ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise VideoError(f"can't be read as {suffix.lower()} subtitles ({reason})") from error
    cues = tidy_cues(
        (event.start / 1000, event.end / 1000, event.text) for event in events if not event.is_comment
    )
    if not cues:
        raise VideoError(f"has no cue: it isn't a {suffix.lower()} subtitle file, or has no words")
    return cues


def tidy_cues(events: Iterable[tuple[float, float, str]]) -> list[Cue]:
    """Return cues in order of start, from triples of start and end in seconds and a text with markup.

    Cues without words or with impossible times are left out, and so are the lines that a cue repeats of the
    one before it (captions that roll upwards). Words that start at the same millisecond are one cue.

    Raises:
        VideoError: there are too many.
    """
    found: list[tuple[float, float, str]] = []
    for start, end, marked in events:
        if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < _MOST_SECONDS):
            continue
        if text := clean_text(marked):
            later = end if end > start else start + _SHOWN_SECONDS
            found.append((round(start, 3), round(min(later, _MOST_SECONDS), 3), text))
        if len(found) > MOST_CUES:
            raise VideoError(f"has more than {MOST_CUES:,} cues")
    cues: list[Cue] = []
    shown: list[str] = []
    for start, end, text in sorted(found, key=lambda one: one[:2]):
        lines = text.split("\n")
        before = cues[-1] if cues else None
        if before is not None and start <= before.end_seconds + _TOUCHING_SECONDS:
            new = lines[_repeated(shown, lines) :]
            shown = lines if end - start > _TOUCHING_SECONDS or new else shown
            if not new or start == before.start_seconds:
                text = "\n".join([before.text, *new])[:_MOST_LETTERS]
                cues[-1] = Cue(before.start_seconds, max(end, before.end_seconds), text)
                continue
            lines = new
        else:
            shown = lines
        cues.append(Cue(start, max(end, start + _SHORTEST_SECONDS), "\n".join(lines)))
    return cues


def _repeated(shown: list[str], lines: list[str]) -> int:
    """Return how many of the first lines are the last ones of what is shown."""
    return next((n for n in range(min(len(shown), len(lines)), 0, -1) if shown[-n:] == lines[:n]), 0)


def clean_text(marked: str) -> str:
    r"""Return the words of a cue: without tags, overrides (`{\an8}`), drawings and control characters."""
    text = marked[: 8 * _MOST_LETTERS]
    if re.search(r"\{[^{}]*\\p[1-9]", text):  # a drawing
        return ""
    text = _OVERRIDE.sub("", text).replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ")
    text = html.unescape(_TAG.sub("", text))
    text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
    lines = (line.strip() for line in _SPACES.sub(" ", text).split("\n"))
    return "\n".join(line for line in lines if line)[:_MOST_LETTERS]
