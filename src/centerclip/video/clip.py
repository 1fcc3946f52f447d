"""Cuts a clip out of a file for people who go on working with it: nothing is scaled, thinned out or turned.

Packets are copied if a key frame lies at the start or shortly before it. Otherwise the pictures are encoded:
those of 8 bits per color as H.264, deeper ones as HEVC of 10 bits, with their size, times, color tags, pixel
aspect, rotation and chroma resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.video.copying import CopyError, Known, Video, clock_of, copied_video, timed
from centerclip.video.cued import Reader, open_reader
from centerclip.video.describing import read_media
from centerclip.video.media import Media
from centerclip.video.quality import encoder_for
from centerclip.video.sound import Sound

__all__ = ["EARLY_SECONDS", "encode_clip"]

EARLY_SECONDS = 0.5
"""By how much a copied clip may begin before the moment, since it must begin at a key frame."""
_FORMATS = {".mp4": "mp4", ".mov": "mov"}
_PICTURES = {
    "mp4": frozenset({"av1", "h264", "hevc", "mpeg4", "vp9"}),
    "mov": frozenset({"dnxhd", "dvvideo", "h264", "hevc", "mjpeg", "mpeg2video", "mpeg4", "prores"}),
}
"""What is copied into each format, because editing programs read it there."""
_SOUNDS = {
    "mp4": frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"}),
    "mov": frozenset({"aac", "ac3", "alac", "mp3", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le"})
    | {"pcm_f32le", "pcm_s32le"},
}
_OPTIONS = {"movflags": "+faststart"}


@dataclass(frozen=True, slots=True)
class _Cut:
    reader: Reader
    media: Media
    times: NDArray[np.float64]
    kind: str
    comment: str

    @property
    def start(self) -> float:
        return float(self.times[0])

    @property
    def end(self) -> float:
        return float(self.times[-1])


def encode_clip(
    source: Path,
    target: Path,
    *,
    start: float,
    end: float,
    comment: str = "",
    tick: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Cut a clip in this process; see `centerclip.video.cut_clip`, and `DirectReader` for `tick`.

    Returns:
        `start` and `end` of the clip in seconds, and whether its pictures were `copied`.
    """
    try:
        with open_reader(source, tick=tick) as reader:
            times = reader.times(start, end)
            cut = _Cut(reader, read_media(reader), times, _FORMATS[target.suffix.lower()], comment)
            begin = None
            if reader.facts.codec in _PICTURES[cut.kind]:
                begin = _try_copy(cut, target)
            if begin is None:
                begin = _write(cut, target)
            return {"start": begin[0], "end": cut.end, "copied": begin[1]}
    except FFmpegError as error:
        raise VideoError(f"{source}: this moment can't be cut ({error.strerror})") from error


def _try_copy(cut: _Cut, target: Path) -> tuple[float, bool] | None:
    """Write the clip with copied pictures; None if that isn't possible."""
    origin, tick = cut.reader.origin, cut.reader.tick
    keys = cut.reader.keys_until(cut.start)
    if origin is None or not keys:
        return None
    begin = float((keys[0] - origin) * tick)
    try:
        known = Known(origin, keys, frames=len(cut.reader.times(begin, cut.end)) - 1)
        _check_key(cut.reader, begin)
        return _write(cut, target, known)
    except (CopyError, FFmpegError):
        return None


def _write(cut: _Cut, target: Path, known: Known | None = None) -> tuple[float, bool]:
    """Write the clip, copied if it is `known` where it begins; return its start, and whether it is a copy."""
    path = cut.reader.path
    with av.open(target, "w", format=cut.kind, options=_OPTIONS) as written, ExitStack() as opened:
        if known is None:
            video = _encoded(cut, written)
        else:
            copied = copied_video(path, written, cut.start, cut.end, early=EARLY_SECONDS, known=known)
            video = opened.enter_context(copied)
        sound = Sound(path, written, _SOUNDS[cut.kind])
        _tag(cut.media, written, video.begin)
        if cut.comment:
            written.metadata["comment"] = cut.comment
        heard = sound.packets(video.origin, video.begin, cut.end)
        for _, packet in merge(video.packets, heard, key=itemgetter(0)):
            written.mux(packet)
        return video.begin, known is not None


def _check_key(reader: Reader, seconds: float) -> None:
    """Make sure that decoding can begin at a key frame.

    Raises:
        CopyError: it can't: the file only claims that it can.
    """
    next(iter(reader.decoded(np.array([seconds]))))
    if reader.origin is None:  # the reader has given up to decode from key frames
        raise CopyError


def _encoded(cut: _Cut, written: Any) -> Video:
    frames = cut.reader.decoded(cut.times[:-1])
    first = next(frames)
    stream, prepare = encoder_for(
        first[1], written, rate=cut.media.rate, aspect=cut.media.aspect, tick=cut.reader.tick
    )

    def packets() -> Iterator[tuple[float, Any]]:
        tick, times = stream.codec_context.time_base, (cut.times - cut.start).tolist()
        for (_, frame), begin, after in zip(chain([first], frames), times, times[1:], strict=False):
            picture = prepare(frame)
            picture.time_base = tick
            picture.pts = round(begin / tick)
            picture.duration = max(1, round(after / tick) - picture.pts)
            yield from timed(stream.encode(picture))
        yield from timed(stream.encode())

    return Video(cut.start, clock_of(cut.reader), packets())


def _tag(media: Media, written: Any, begin: float) -> None:
    """Note the timecode and the instant at which the clip begins, to match it with its source."""
    if media.timecode is not None and media.constant:
        written.metadata["timecode"] = str(media.timecode + round(begin * media.rate))
    try:
        recorded = datetime.fromisoformat(media.recorded)
    except ValueError:
        return
    written.metadata["creation_time"] = (recorded + timedelta(seconds=begin)).isoformat()
