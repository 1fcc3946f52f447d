"""Writes a list as a table (CSV)."""

from __future__ import annotations

import csv
import io

from centerclip.clips.edit_list import EditList

__all__ = ["COLUMNS", "write"]

COLUMNS = (
    "rank", "name", "path", "start_seconds", "end_seconds", "start_timecode", "end_timecode", "first_frame",
    "frames", "frame_rate", "constant_rate", "reel", "sound_channels", "score",
)  # fmt: skip


def write(edits: EditList) -> str:
    """Write a list: a row per moment, in UTF-8, with timecodes that end after the last frame."""
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    for entry in edits.entries:
        moment, media = entry.moment, entry.media
        rows.writerow(
            (
                moment.rank,
                entry.name,
                entry.place,
                f"{moment.start:.3f}",
                f"{min(moment.end, media.duration_seconds):.3f}",
                entry.start,
                entry.start + entry.frames,
                entry.first,
                entry.frames,
                media.rate,
                "yes" if media.constant else "no",
                media.reel,
                entry.channels,
                "" if moment.score is None else f"{moment.score:.4f}",
            )
        )
    return file.getvalue()
