"""Write cues as WebVTT, the format of subtitles that browsers show."""

from __future__ import annotations

from collections.abc import Iterable

from centerclip.records import Cue

__all__ = ["write_webvtt"]


def write_webvtt(cues: Iterable[Cue]) -> str:
    """Return a WebVTT file; the texts are shown as they are, without markup."""
    parts = ["WEBVTT\n"]
    for cue in cues:
        lines = [_escaped(line) for line in cue.text.splitlines() if line.strip()]
        if lines:
            times = f"{_clock(cue.start_seconds)} --> {_clock(cue.end_seconds)}"
            parts.append("\n".join([times, *lines]) + "\n")
    return "\n".join(parts)


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float) -> str:
    total = max(0, round(seconds * 1000))
    minutes, rest = divmod(total, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
