"""Finds out what an editing program has to know of a file; see `centerclip.video.media`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from centerclip.video.cued import CuedReader, Reader
from centerclip.video.media import Media, SoundTrack
from centerclip.video.packets import open_video, stated_rate
from centerclip.video.timecode import Timecode, nearest_rate

__all__ = ["read_media"]

_REELS = ("reel_name", "com.apple.proapps.reel", "reel")


def read_media(reader: Reader) -> Media:
    """Describe an open file.

    Raises:
        VideoError: the file has changed since and can't be opened.
    """
    facts = reader.facts
    container, video = open_video(reader.path)
    with container:
        stated, aspect = stated_rate(video), video.sample_aspect_ratio or Fraction(1)
        tags = [dict(stream.metadata) for stream in (video, *container.streams)] + [dict(container.metadata)]
        sounds = tuple(
            SoundTrack(stream.codec_context.layout.nb_channels, stream.codec_context.rate)
            for stream in container.streams.audio
            if stream.codec_context is not None
        )
    average = facts.frame_rate if isinstance(reader, CuedReader) else _steady_rate(reader, stated)
    rate = nearest_rate(stated, math.inf) if average is None else nearest_rate(average)
    return Media(
        rate=rate,
        constant=average is not None,
        frames=max(1, round(facts.duration_seconds * rate)),
        duration_seconds=facts.duration_seconds,
        width=facts.width,
        height=facts.height,
        aspect=aspect,
        timecode=_start(_first(tags, ("timecode",)), rate),
        reel=_first(tags, _REELS),
        sounds=sounds,
        recorded=_first(tags, ("creation_time",)),
    )


def _steady_rate(reader: Any, stated: float) -> float | None:
    """Frames per second if all frames follow each other evenly; None if they don't."""
    seconds = np.unique(reader.times(0.0, reader.facts.duration_seconds)[:-1])
    if len(seconds) < 2:
        return stated
    rate = (len(seconds) - 1) / float(seconds[-1])
    # Containers round timestamps, usually to a millisecond.
    slack = float(reader.tick) + 1e-3
    for known in (stated, float(nearest_rate(rate, 1e-3)), rate):
        if np.abs(seconds - np.arange(len(seconds)) / known).max() <= slack:
            return known
    return None


def _first(tags: Iterable[dict[str, str]], names: tuple[str, ...]) -> str:
    return next((tag[name].strip() for tag in tags for name in names if tag.get(name, "").strip()), "")


def _start(written: str, rate: Fraction) -> Timecode | None:
    try:
        return Timecode.parse(written, rate)
    except ValueError:
        return None
