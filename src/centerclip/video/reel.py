"""The parts of a reel, and the reel joined from them; runs in a worker.

All parts are encoded alike, so joining copies their pictures. Their sound is uncompressed until then, because
compressed pieces can't be joined without gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.video.copying import timed
from centerclip.video.cued import open_reader
from centerclip.video.sound import Sound
from centerclip.video.upright import upright_video

__all__ = ["encode_part", "join_parts"]

_X264 = {"preset": "veryfast", "crf": "20", "bf": "0", "x264-params": "stitchable=1:log-level=-1"}
_SOUND_RATE = 48_000
_PIECE = 4800
"""Samples of silence made at once."""


def encode_part(
    source: Path,
    target: Path,
    *,
    start: float,
    end: float,
    size: tuple[int, int],
    rate: Fraction,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Write a part of a reel; see `centerclip.video.cut_part`."""
    options = {**_X264, "g": str(max(1, round(rate)))}
    try:
        with open_reader(source, tick=tick) as reader, av.open(target, "w", format="mov") as written:
            end = min(end, max(start + float(1 / rate), reader.facts.duration_seconds))
            pictures = upright_video(reader, written, start, end, size=size, rate=rate, options=options)
            sound = Sound(source, written, codec="pcm_s16le").packets(pictures.origin, start, end)
            for _, packet in merge(pictures.packets, sound, key=itemgetter(0)):
                written.mux(packet)
    except FFmpegError as error:
        raise VideoError(f"{source}: this moment can't be cut ({error.strerror})") from error


def join_parts(parts: Sequence[Path], target: Path, tick: Callable[[], None] = lambda: None) -> None:
    """Write a reel; see `centerclip.video.join_parts`."""
    with ExitStack() as opened:
        written = opened.enter_context(av.open(target, "w", format="mp4", options={"movflags": "+faststart"}))
        first = opened.enter_context(av.open(parts[0]))
        template = first.streams.video[0]
        video: Any = written.add_stream_from_template(template, opaque=True)
        sound: Any = written.add_stream("aac", rate=_SOUND_RATE, layout="stereo")
        sound.bit_rate = 192_000
        rate = template.average_rate
        assert rate is not None
        settings, frames = template.codec_context.extradata, 0
        for path in parts:
            with av.open(path) as read:
                if read.streams.video[0].codec_context.extradata != settings:
                    raise VideoError(f"{path.name}: isn't encoded like the first part")
                length = read.streams.video[0].frames
            begin, frames = frames, frames + length
            edges = [round(number / rate * _SOUND_RATE) for number in (begin, frames)]
            heard = _sound_of(path, sound, *edges)
            for _, packet in merge(_pictures_of(path, video, begin / rate), heard, key=itemgetter(0)):
                tick()
                written.mux(packet)
        for packet in sound.encode():
            written.mux(packet)


def _pictures_of(path: Path, stream: Any, begin: Fraction) -> Iterator[tuple[float, Any]]:
    with av.open(path) as read:
        for packet in read.demux(read.streams.video[0]):
            if packet.pts is not None and packet.dts is not None and packet.time_base is not None:
                shift = round(begin / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = stream
                yield float(packet.dts * packet.time_base), packet


def _sound_of(path: Path, stream: Any, begin: int, end: int) -> Iterator[tuple[float, Any]]:
    """Encode a part's sound from sample to sample; silence where it has none."""
    place = begin
    for samples in _samples_of(path):
        samples = samples[:, : end - place]
        if samples.shape[1]:
            yield from timed(stream.encode(_frame(samples, place)))
            place += samples.shape[1]
    while place < end:
        silence = np.zeros((2, min(_PIECE, end - place)), np.float32)
        yield from timed(stream.encode(_frame(silence, place)))
        place += silence.shape[1]


def _samples_of(path: Path) -> Iterator[NDArray[np.float32]]:
    """Decode a part's sound: [2, samples] each."""
    with av.open(path) as read:
        place = 0
        for frame in read.decode(read.streams.audio[0]) if read.streams.audio else ():
            starts = round((frame.time or 0.0) * _SOUND_RATE)
            if starts > place:  # the sound begins later than the pictures
                yield np.zeros((2, starts - place), np.float32)
            place = starts + frame.samples
            packed = frame.to_ndarray().reshape(-1, 2).T  # [2, samples]
            yield packed.astype(np.float32) / np.float32(32768)


def _frame(samples: NDArray[np.float32], place: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = _SOUND_RATE, place, Fraction(1, _SOUND_RATE)
    return frame
