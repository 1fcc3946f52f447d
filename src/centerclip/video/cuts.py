"""Cuts stretches out of files and joins them, in worker processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from centerclip.video.media import Media
from centerclip.video.reader import ask_once

__all__ = ["Cut", "cut_clip", "cut_excerpt", "cut_part", "join_parts", "media_of"]


@dataclass(frozen=True, slots=True)
class Cut:
    """What a clip shows: from `start` to `end` of its source, in seconds; whether its pictures are a copy."""

    start: float
    end: float
    copied: bool


def cut_excerpt(path: Path, target: Path, *, start: float, end: float) -> None:
    """Write an excerpt as an MP4 file: H.264, at most 1280 x 720 and 30 frames per second, with its sound.

    H.264, VP9 and AV1 are copied unchanged if a key frame lies shortly before the start.

    Args:
        path: the video.
        target: written over if it exists.
        start, end: seconds from the first frame.

    Raises:
        VideoError: the file can't be decoded.
    """
    _ask(path, {"do": "excerpt", **_span(target, start, end)})


def cut_clip(path: Path, target: Path, *, start: float, end: float, comment: str = "") -> Cut:
    """Write a clip in full quality: the frames shown from `start` to `end`, with all sound tracks.

    Pictures are copied if a key frame lies at the start or up to half a second before it, where the clip then
    begins. Otherwise they are encoded, and the clip has exactly the frames of the moment: pictures of 8 bits
    per color as H.264, deeper ones (HDR) as HEVC of 10 bits. Size, frame times, rotation, pixel aspect and
    color tags remain. Dolby Vision and HDR10+ metadata are lost by encoding, transparency too.

    Args:
        path: the video.
        target: written over if it exists. Ends with .mp4, or with .mov, into which professional formats and
            uncompressed sound can be copied.
        start, end: seconds from the first frame, start < end.
        comment: is noted in the clip's metadata.

    Raises:
        VideoError: the file can't be decoded, or the clip can't be written.
        ValueError: another suffix, or a span that is empty.
    """
    if target.suffix.lower() not in {".mp4", ".mov"}:
        raise ValueError(f"a clip is an .mp4 or .mov file, not {target.name!r}")
    if not 0 <= start < end:
        raise ValueError(f"a clip must have a start >= 0 and a later end, not {start} and {end}")
    return Cut(**_ask(path, {"do": "clip", **_span(target, start, end), "comment": comment}))


def cut_part(
    path: Path, target: Path, *, start: float, end: float, size: tuple[int, int], rate: Fraction
) -> None:
    """Write a part of a reel, for `join_parts`: upright pictures with black beside them where they don't fit.

    Args:
        path: the video.
        target: written over if it exists.
        start, end: seconds from the first frame, start < end.
        size: (height, width) of all parts, even numbers.
        rate: frames per second of all parts.

    Raises:
        VideoError: the file can't be decoded.
    """
    _ask(path, {"do": "part", **_span(target, start, end), "size": size, "rate": str(rate)})


def join_parts(parts: Sequence[Path], target: Path) -> None:
    """Join parts to a reel, an MP4 file: H.264 with stereo sound, silent where a part is.

    Args:
        parts: at least one, of the same size and rate.
        target: written over if it exists.

    Raises:
        VideoError: a part isn't one, or the reel can't be written.
    """
    places = [os.path.abspath(part) for part in parts]
    _ask(parts[0], {"do": "join", "parts": places, "target": os.path.abspath(target)})


def media_of(path: Path) -> Media:
    """Describe a file for editing programs.

    Raises:
        VideoError: it can't be decoded.
    """
    return Media.from_message(_ask(path, {"do": "media"}))


def _ask(path: Path, message: dict[str, Any]) -> dict[str, Any]:
    return ask_once(path, lambda worker, place: worker.ask({**message, **place})[0])


def _span(target: Path, start: float, end: float) -> dict[str, Any]:
    return {"target": os.path.abspath(target), "start": start, "end": end}
