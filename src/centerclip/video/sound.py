"""The sound of a cut: copied packet by packet, or encoded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from av.stream import Discard

from centerclip.video.copying import timed
from centerclip.video.packets import open_video

__all__ = ["Sound"]

_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
"""What AAC can have, in Hz."""
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_BITS_PER_CHANNEL = 128_000
_AHEAD_SECONDS = 1.0
"""How long before the start to begin to read: sound may be stored behind its pictures."""


class Sound:
    """Adds the sound tracks of a file to another.

    Sound that can't be decoded is left out from there on: a cut without sound is better than none.

    Args:
        source: the file.
        written: the container to write to; has a stream per track afterwards.
        copied: codecs to copy; the others are encoded with the same channels and rate. None: only the first
            track, as stereo of 48 kHz, which every browser plays.
        codec: what to encode with.
    """

    def __init__(
        self, source: Path, written: Any, copied: Collection[str] | None = None, *, codec: str = "aac"
    ) -> None:
        self._source, self._written = source, written
        read, _ = open_video(source)
        with read:
            heard = [stream for stream in read.streams.audio if stream.codec_context is not None]
            self._tracks: dict[int, _Copied | _Encoded] = {}
            for stream in heard if copied is not None else heard[:1]:
                if copied is not None and stream.codec_context.codec.canonical_name in copied:
                    self._tracks[stream.index] = _Copied(written, stream)
                else:
                    self._tracks[stream.index] = _Encoded(written, stream, codec, plain=copied is None)

    def packets(self, origin: float, begin: float, end: float) -> Iterator[tuple[float, Any]]:
        """Yield the packets to write, each with its time in the cut.

        Args:
            origin: time of the first picture in the file's own clock, in seconds.
            begin, end: seconds from the first picture; `begin` becomes time 0.
        """
        if not self._tracks:
            return
        read, video = open_video(self._source)
        with read:
            video.discard = Discard.all
            streams = [read.streams[index] for index in self._tracks]
            for stream in streams:
                stream.discard = Discard.default
            open_tracks = dict(self._tracks)
            try:
                read.seek(int(max(0.0, origin + begin - _AHEAD_SECONDS) * 1_000_000))
                for packet in read.demux(streams):
                    track = open_tracks.get(packet.stream.index)
                    if track is not None and packet.pts is not None:
                        yield from track.feed(packet, origin + begin, end - begin)
                        if track.ended:
                            del open_tracks[packet.stream.index]
                            if not open_tracks:
                                break
            except FFmpegError:
                pass  # the sound up to a damaged place is used
            for track in self._tracks.values():
                yield from track.flush()


class _Copied:
    def __init__(self, written: Any, stream: Any) -> None:
        self._stream = written.add_stream_from_template(stream, opaque=True)
        _describe(self._stream, stream)
        self._last: int | None = None
        self.ended = False

    def feed(self, packet: Any, zero: float, length: float) -> Iterator[tuple[float, Any]]:
        tick = packet.time_base
        shift = round(zero / tick)
        starts, ends = packet.pts - shift, packet.pts - shift + (packet.duration or 0)
        if starts * tick >= length:
            self.ended = True
        # A packet that began earlier is kept: the file says from where on it is heard.
        elif ends > 0 and (self._last is None or starts > self._last):
            self._last = packet.pts = packet.dts = starts
            packet.stream = self._stream
            yield float(starts * tick), packet

    def flush(self) -> Iterator[tuple[float, Any]]:
        return iter(())


class _Encoded:
    def __init__(self, written: Any, stream: Any, codec: str, *, plain: bool) -> None:
        decoder = stream.codec_context
        channels = decoder.layout.nb_channels
        layout = "stereo" if plain else _LAYOUTS.get(channels, "stereo")
        self._rate = decoder.rate if not plain and decoder.rate in _RATES else 48_000
        self._stream = written.add_stream(codec, rate=self._rate, layout=layout)
        if not plain:
            self._stream.bit_rate = _BITS_PER_CHANNEL * self._stream.codec_context.layout.nb_channels
        _describe(self._stream, stream)
        self._resampler = AudioResampler(format="fltp", layout=layout, rate=self._rate)
        self._place: int | None = None
        """Of the next sample in the cut; negative before its start."""
        self._end = 0
        self.ended = False

    def feed(self, packet: Any, zero: float, length: float) -> Iterator[tuple[float, Any]]:
        for frame in packet.decode():
            seconds = (frame.time or 0.0) - zero
            if seconds >= length:
                self.ended = True
                return
            if seconds + frame.samples / frame.sample_rate > 0:
                if self._place is None:
                    self._place, self._end = round(seconds * self._rate), round(length * self._rate)
                yield from self._encode(self._resampler.resample(frame))

    def flush(self) -> Iterator[tuple[float, Any]]:
        if self._place is not None:
            yield from self._encode(self._resampler.resample(None))
            yield from timed(self._stream.encode())

    def _encode(self, frames: list[Any]) -> Iterator[tuple[float, Any]]:
        """Encode what lies within the cut."""
        for frame in frames:
            assert self._place is not None
            place, self._place = self._place, self._place + frame.samples
            first, last = max(0, -place), min(frame.samples, self._end - place)
            if first < last:
                samples = np.ascontiguousarray(frame.to_ndarray()[:, first:last])  # [channels, samples]
                part = AudioFrame.from_ndarray(samples, "fltp", frame.layout.name)
                part.sample_rate, part.time_base = self._rate, Fraction(1, self._rate)
                part.pts = place + first
                yield from timed(self._stream.encode(part))


def _describe(made: Any, stream: Any) -> None:
    """Keep a track's language and title."""
    for name in ("language", "title"):
        if name in stream.metadata:
            made.metadata[name] = stream.metadata[name]
