"""Cuts an excerpt of any file into a small MP4 that browsers play, copied if the codec allows it, or encoded.

The result is a finished file with its index in front, not a fragmented stream: browsers know its length and
can seek in it at once, and it is kept for the next visitor anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from centerclip.errors import VideoError
from centerclip.remote import is_address
from centerclip.video.copying import CopyError, Video, copied_video
from centerclip.video.cued import Reader, open_reader
from centerclip.video.sound import Sound
from centerclip.video.upright import upright_video

__all__ = ["encode_excerpt"]

_COPIED = frozenset({"h264", "av1", "vp9"})
_KEY_FRAME_SECONDS = 0.5
"""How long before the moment a copied excerpt may begin, since it must begin at a key frame."""
_MAX_RATE = 30.0
_MAX_HEIGHT, _MAX_WIDTH = 720, 1280
_X264 = {"preset": "veryfast", "crf": "25", "maxrate": "4M", "bufsize": "8M", "profile": "main"}
_MUXER = {"movflags": "+faststart"}


def encode_excerpt(
    source: Path, target: Path, *, start: float, end: float, tick: Callable[[], None] = lambda: None
) -> None:
    """Cut an excerpt in this process; see `centerclip.video.cut_excerpt`, and `DirectReader` for `tick`."""
    try:
        try:
            _copy(source, target, start, end)
        except (CopyError, FFmpegError):
            with open_reader(source, tick=tick) as reader:
                _encode(reader, target, start, end)
    except FFmpegError as error:
        raise VideoError(f"{source}: this excerpt can't be decoded ({error.strerror})") from error


def _copy(source: Path, target: Path, start: float, end: float) -> None:
    """Copy the video packets, from the key frame before `start`."""
    with av.open(source.open("rb") if is_address(source) else source) as read:
        video = read.streams.video[0]
        if (
            video.codec_context.codec.canonical_name not in _COPIED
            or video.pix_fmt != "yuv420p"
            or "DISPLAYMATRIX" in _side_data(video)
        ):
            raise CopyError
    with (
        av.open(target, "w", format="mp4", options=_MUXER) as written,
        copied_video(source, written, start, end, early=_KEY_FRAME_SECONDS) as pictures,
    ):
        _mux(written, pictures, Sound(source, written), end)


def _side_data(video: Any) -> set[str]:
    frame = next(iter(video.container.decode(video)), None)
    return set() if frame is None else {str(name) for name in frame.side_data.keys()}  # noqa: SIM118


def _encode(reader: Reader, target: Path, start: float, end: float) -> None:
    """Decode the excerpt with the reader that indexing uses, and encode it."""
    facts = reader.facts
    rate = Fraction(min(facts.frame_rate, _MAX_RATE)).limit_denominator(1001)
    size = _shown_size(facts.height, facts.width)
    with av.open(target, "w", format="mp4", options=_MUXER) as written:
        pictures = upright_video(reader, written, start, end, size=size, rate=rate, options=_X264)
        _mux(written, pictures, Sound(reader.path, written), end)


def _mux(written: Any, pictures: Video, sound: Sound, end: float) -> None:
    heard = sound.packets(pictures.origin, pictures.begin, end)
    for _, packet in merge(pictures.packets, heard, key=itemgetter(0)):
        written.mux(packet)


def _shown_size(height: int, width: int) -> tuple[int, int]:
    """The (height, width) of an excerpt: even numbers, as H.264 needs, and never enlarged."""
    scale = min(1.0, _MAX_HEIGHT / height, _MAX_WIDTH / width)
    return max(2, round(height * scale / 2) * 2), max(2, round(width * scale / 2) * 2)
