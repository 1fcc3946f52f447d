"""Cuts an excerpt of any file into a small MP4 that browsers play, copied if the codec allows it, or encoded.

The result is a finished file with its index in front, not a fragmented stream: browsers know its length and
can seek in it at once, and it is kept for the next visitor anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from av.video.frame import VideoFrame

from centerclip.errors import VideoError
from centerclip.video.cued import Reader, open_reader

__all__ = ["encode_excerpt"]

_COPIED = frozenset({"h264", "av1", "vp9"})
_KEY_FRAME_SECONDS = 0.5
"""How long before the moment a copied excerpt may begin, since it must begin at a key frame."""
_MAX_RATE = 30.0
_MAX_HEIGHT, _MAX_WIDTH = 720, 1280
_TIME_BASE = Fraction(1, 90_000)
_X264 = {"preset": "veryfast", "crf": "25", "maxrate": "4M", "bufsize": "8M", "profile": "main"}
_MUXER = {"movflags": "+faststart"}


class _CopyError(Exception):
    """The packets of this file can't be copied as they are."""


def encode_excerpt(
    source: Path, target: Path, *, start: float, end: float, tick: Callable[[], None] = lambda: None
) -> None:
    """Cut an excerpt in this process; see `centerclip.video.cut_excerpt`, and `DirectReader` for `tick`."""
    try:
        try:
            _copy(source, target, start, end)
        except (_CopyError, FFmpegError):
            with open_reader(source, tick=tick) as reader:
                _encode(reader, target, start, end)
    except FFmpegError as error:
        raise VideoError(f"{source}: this excerpt can't be decoded ({error.strerror})") from error


def _copy(source: Path, target: Path, start: float, end: float) -> None:
    """Copy the video packets, from the key frame before `start`."""
    with av.open(source) as read, av.open(target, "w", format="mp4", options=_MUXER) as written:
        video = read.streams.video[0]
        if (
            video.codec_context.codec.canonical_name not in _COPIED
            or video.time_base is None
            or video.start_time is None
            or video.pix_fmt != "yuv420p"
            or "DISPLAYMATRIX" in _side_data(video)
        ):
            raise _CopyError
        origin = int(video.start_time)
        read.seek(origin + int(start / video.time_base), stream=video)
        copy: Any = written.add_stream_from_template(video, opaque=True)  # needs no encoder
        sound = _Sound(source, written)
        first: int | None = None
        for packet in read.demux(video):
            if packet.dts is None and packet.pts is None:
                continue
            if packet.pts is None or packet.dts is None:
                raise _CopyError
            seconds = float((packet.pts - origin) * video.time_base)
            if first is None:
                if not packet.is_keyframe or not start - _KEY_FRAME_SECONDS <= seconds <= start + 0.01:
                    raise _CopyError
                first, begin = packet.pts, seconds
            if float((packet.dts - origin) * video.time_base) >= end:
                break
            if packet.pts < first:  # a leading picture refers to what comes before the key frame
                continue
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            packet.stream = copy
            written.mux(packet)
        if first is None:
            raise _CopyError
        sound.write(begin, end)


def _side_data(video: Any) -> set[str]:
    frame = next(iter(video.container.decode(video)), None)
    return set() if frame is None else {str(name) for name in frame.side_data.keys()}  # noqa: SIM118


def _encode(reader: Reader, target: Path, start: float, end: float) -> None:
    """Decode the excerpt with the reader that indexing uses, and encode it."""
    facts = reader.facts
    rate = min(facts.frame_rate, _MAX_RATE)
    instants = start + np.arange(max(1, round((end - start) * rate))) / rate
    with av.open(target, "w", format="mp4", options=_MUXER) as written:
        stream: Any = written.add_stream(
            "libx264", rate=Fraction(rate).limit_denominator(1001), options=_X264
        )
        stream.height, stream.width = _shown_size(facts.height, facts.width)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        sound = _Sound(reader.path, written)
        for number, (_, picture) in enumerate(reader.frames_at(instants)):
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
            frame.pts, frame.time_base = round(number / rate / _TIME_BASE), _TIME_BASE
            written.mux(stream.encode(frame))
        written.mux(stream.encode())
        sound.write(start, end)


class _Sound:
    """The sound of an excerpt, as far as it can be decoded: an excerpt without sound is better than none."""

    def __init__(self, source: Path, written: Any) -> None:
        self._source, self._written = source, written
        with av.open(source) as read:
            self._stream = (
                written.add_stream("aac", rate=48_000, layout="stereo") if read.streams.audio else None
            )

    def write(self, start: float, end: float) -> None:
        if self._stream is None:
            return
        samples = 0
        for frame in self._frames(start, end):
            frame.pts, frame.time_base = samples, Fraction(1, 48_000)
            samples += frame.samples
            self._written.mux(self._stream.encode(frame))
        self._written.mux(self._stream.encode())

    def _frames(self, start: float, end: float) -> Iterator[Any]:
        """Decoded sound from about `start` to about `end`, to within an audio frame (about 20 ms)."""
        resampler = AudioResampler(format="fltp", layout="stereo", rate=48_000)
        with av.open(self._source) as read:
            video, audio = read.streams.video[0], read.streams.audio[0]
            origin = float((video.start_time or 0) * (video.time_base or 0))
            read.seek(int(max(0.0, origin + start) * av.time_base))
            try:
                for frame in read.decode(audio):
                    seconds = (frame.time or 0.0) - origin
                    if seconds >= end:
                        break
                    if seconds >= start - 0.01:
                        yield from resampler.resample(frame)
            except FFmpegError:
                return  # the sound up to a damaged place is used


def _shown_size(height: int, width: int) -> tuple[int, int]:
    """The (height, width) of an excerpt: even numbers, as H.264 needs, and never enlarged."""
    scale = min(1.0, _MAX_HEIGHT / height, _MAX_WIDTH / width)
    return max(2, round(height * scale / 2) * 2), max(2, round(width * scale / 2) * 2)
