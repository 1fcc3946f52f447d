"""Copies video packets from a key frame on, without decoding or encoding them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

from centerclip.video.cued import Reader
from centerclip.video.packets import demux, open_video

__all__ = ["CopyError", "Known", "Video", "clock_of", "copied_video", "timed"]

_REORDERED = 33
"""How many packets later a frame may be stored than one that is shown after it."""

_KEYS = 3
_NEAR = 5000
"""How many packets to look through for a key frame."""


class CopyError(Exception):
    """The packets of this moment can't be copied as they are."""


@dataclass(frozen=True, slots=True)
class Video:
    """The pictures of a cut.

    Attributes:
        begin: when the first is shown, in seconds from the file's first frame.
        origin: time of the file's first frame in its own clock, in seconds.
        packets: to write, each with its time in the cut.
    """

    begin: float
    origin: float
    packets: Iterator[tuple[float, Any]]


@dataclass(frozen=True, slots=True)
class Known:
    """What a reader of the whole file knows of a cut.

    Attributes:
        origin: timestamp of the file's first frame.
        keys: timestamps of the key frame to begin with and of those before it, latest first: three, or all.
        frames: number of frames from that key frame to the end of the cut.
    """

    origin: int
    keys: tuple[int, ...]
    frames: int


@contextmanager
def copied_video(
    source: Path, written: Any, start: float, end: float, *, early: float, known: Known | None = None
) -> Iterator[Video]:
    """Add a stream with the pictures from a key frame at or before `start`.

    They end with `end`, or up to a few frames later: no frame between the first and the last is missing.

    Args:
        source: the file.
        written: the container to write to.
        start, end: seconds from the first frame.
        early: by how much the key frame may precede `start`, in seconds.
        known: if None, the file's own index is believed.

    Raises:
        CopyError: there is no such key frame, or the timestamps don't tell when a frame is shown.
    """
    read, video = open_video(source)
    with read:
        tick = video.time_base or Fraction(0)
        origin = video.start_time if known is None else known.origin
        if origin is None or tick <= 0:
            raise CopyError
        if known is None:
            read.seek(origin + int(start / tick), stream=video)
            packets = demux(read, video, lambda: None)
            key = next(packets, None)
        else:
            # Some formats tell decoding times only some packets after a seek, or seek too far. So the reading
            # begins with the file, or else with an earlier key if it has to.
            for at in known.keys if len(known.keys) == _KEYS else (None,):
                if at is not None:
                    read.seek(at, stream=video)
                packets = demux(read, video, lambda: None)
                key = _find(packets, known.keys[0])
                if key is not None and key.dts is not None:
                    break
        if key is None or key.pts is None or key.dts is None or not key.is_keyframe:
            raise CopyError
        begin = float((key.pts - origin) * tick)
        if not start - early <= begin <= start + 1e-3:
            raise CopyError
        stream: Any = written.add_stream_from_template(video, opaque=True)  # needs no encoder
        if video.codec_context.codec.canonical_name == "hevc":
            stream.codec_tag = "hvc1"  # players of Apple know HEVC by this name only
        last = origin + end / tick
        taken = _until(chain([key], packets), key.pts, last, known.frames if known else None)
        yield Video(begin, float(origin * tick), timed(_rebased(taken, key.pts, stream)))


def _find(packets: Iterator[Any], pts: int) -> Any | None:
    near = islice(packets, _NEAR)
    return next((packet for packet in near if packet.pts == pts and packet.is_keyframe), None)


def clock_of(reader: Reader) -> float:
    """Time of a file's first frame in its own clock, in seconds."""
    if reader.origin is not None:
        return float(reader.origin * reader.tick)
    read, video = open_video(reader.path)
    with read:
        return float((video.start_time or 0) * (video.time_base or 0))


def timed(packets: Iterable[Any]) -> Iterator[tuple[float, Any]]:
    """Yield an encoder's packets, each with its time."""
    for packet in packets:
        yield float((packet.dts or 0) * packet.time_base), packet


def _rebased(packets: Iterable[Any], first: int, stream: Any) -> Iterator[Any]:
    for packet in packets:
        if packet.pts >= first:  # a leading picture refers to what comes before the key frame
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            packet.stream = stream
            yield packet


def _until(packets: Iterator[Any], first: int, end: float, frames: int | None) -> Iterator[Any]:
    """Yield packets up to the last frame shown before `end`, and what is shown before those that it needs."""
    latest, left = first, frames
    waiting: deque[Any] = deque()
    for packet in packets:
        if _checked(packet).dts >= end:
            waiting.append(packet)
            break
        latest = max(latest, packet.pts)
        counts = first <= packet.pts < end - 0.5
        yield packet  # whoever takes it changes it
        if left is not None and counts:
            left -= 1
            if left == 0:
                break
    waiting.extend(islice(packets, _REORDERED))
    while any(_checked(packet).pts < latest for packet in waiting):
        packet = waiting.popleft()
        latest = max(latest, packet.pts)
        yield packet


def _checked(packet: Any) -> Any:
    if packet.pts is None or packet.dts is None:
        raise CopyError
    return packet
