"""Writes a list as OpenTimelineIO's JSON, which DaVinci Resolve, Premiere and others read.

In the versions of its objects that every release of the library reads, so that it isn't needed here.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from centerclip.clips.edit_list import EditList, Entry

__all__ = ["write"]


def write(edits: EditList) -> str:
    """Write a list: a track of pictures, and one of sound if a file has any."""
    tracks = [_track("Video", [_clip(entry) for entry in edits.entries])]
    if any(entry.media.sounds for entry in edits.entries):
        tracks.append(_track("Audio", [_clip(e) if e.media.sounds else _gap(e) for e in edits.entries]))
    timeline = {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {},
        "name": edits.title,
        "global_start_time": _time(0, edits.rate),
        "tracks": {**_item("Stack.1", "tracks"), "source_range": None, "children": tracks},
    }
    return json.dumps(timeline, indent=2, ensure_ascii=False) + "\n"


def _track(kind: str, children: list[dict[str, Any]]) -> dict[str, Any]:
    return {**_item("Track.1", kind), "kind": kind, "source_range": None, "children": children}


def _clip(entry: Entry) -> dict[str, Any]:
    media, moment = entry.media, entry.moment
    said: dict[str, Any] = {"rank": moment.rank, "start_seconds": moment.start, "end_seconds": moment.end}
    if moment.score is not None:
        said["score"] = moment.score
    reel = {"cmx_3600": {"reel": media.reel}} if media.reel else {}
    return {
        **_item("Clip.1", entry.name),
        "metadata": {"centerclip": said, **reel},
        "source_range": _range(entry.start.frames, entry.frames, media.rate),
        "media_reference": {
            "OTIO_SCHEMA": "ExternalReference.1",
            "metadata": {},
            "name": entry.name,
            "available_range": _range(entry.media_start.frames, media.frames, media.rate),
            "target_url": entry.url,
        },
    }


def _gap(entry: Entry) -> dict[str, Any]:
    return {**_item("Gap.1", ""), "source_range": _range(0, entry.frames, entry.media.rate)}


def _item(schema: str, name: str) -> dict[str, Any]:
    return {"OTIO_SCHEMA": schema, "metadata": {}, "name": name, "effects": [], "markers": []}


def _range(start: int, duration: int, rate: Fraction) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": _time(start, rate),
        "duration": _time(duration, rate),
    }


def _time(frames: int, rate: Fraction) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(frames)}
