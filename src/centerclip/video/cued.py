"""Read a large Matroska file by its cues: a table of its key frames, at its end.

What lies between two key frames is only known once it has been read, so frames are chosen and decoded a
stretch of the file at a time. A file that contradicts its cues is read whole instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from centerclip.records import Sampling, Window
from centerclip.video.decode import DirectReader
from centerclip.video.facts import Facts
from centerclip.video.packet_index import PacketIndex, pts_of, scan
from centerclip.video.packets import demux, open_video, stated_rate
from centerclip.video.pictures import Place
from centerclip.video.timeline import MAX_GAP_SECONDS, MAX_SECONDS, TOLERANCE_SECONDS, early_keys
from centerclip.video.windows import instants

__all__ = ["CuedReader", "Reader", "open_reader"]

_LARGE_BYTES = 128 << 20
"""A smaller file is read whole: that takes a tenth of a second, and tells more."""
_SUFFIXES = {".mkv", ".webm"}
_SPAN_SECONDS = 180.0
"""About the longest stretch: its packets are read twice, and should still be in memory the second time."""
_LEADING = 33
"""How many packets after a key frame may be shown before it."""


class CuedReader:
    """A Matroska file with cues; see `DirectReader` for its methods.

    Its frame rate is constant, as far as its key frames and the frames of the first and last group show. The
    number of frames and the scene cuts follow from that.

    Args:
        path: of the file.
        tick: called for every packet read.

    Raises:
        LookupError: its cues are missing, incomplete or wrong, or its frame rate varies.
        VideoError: see `DirectReader`.
    """

    def __init__(self, path: Path, tick: Callable[[], None]) -> None:
        self.path = path
        self._tick = tick
        self._container, self._stream = open_video(path)
        self._tick_seconds, self._rate = float(self._stream.time_base or 0), stated_rate(self._stream)
        self._reader: DirectReader | None = None
        self._covered = (0, -1)
        """First and last group of pictures that the reader has."""
        try:
            first = next(demux(self._container, self._stream, tick), None)
            self._keys = self._read_cues()
            if first is None or not first.is_keyframe or pts_of(first) != self._keys[0]:
                raise LookupError
            self._facts = self._look()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> CuedReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()
        if self._reader is not None:
            self._reader.close()

    @property
    def packets(self) -> PacketIndex | None:
        """None: another reader of the file reads the cues again, which is quick."""
        return None

    @property
    def facts(self) -> Facts:
        return self._facts

    def choose(self, windows: Sequence[Window], frames: int, sampling: Sampling) -> NDArray[np.float64]:
        if sampling == "center":
            return np.concatenate([instants(window, frames) for window in windows])
        chosen = []
        for first, end in _pieces([window.start_seconds for window in windows]):
            some = windows[first:end]
            reader = self._covering(some[0].start_seconds, some[-1].end_seconds)
            chosen.append(reader.choose(some, frames, sampling, cuts=self._facts.scene_cuts))
        return np.concatenate(chosen)

    def frames_at(
        self, seconds: Sequence[float] | NDArray[np.float64], place: Place | None = None
    ) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        wanted = np.asarray(seconds, np.float64)
        if not np.isfinite(wanted).all() or (np.diff(wanted) < 0).any():
            raise ValueError("seconds must be finite and ascend")
        groups = self._groups_of(wanted)
        for first, end in _pieces(wanted.tolist(), groups.tolist()):
            reader = self._covering(wanted[first], wanted[end - 1])
            yield from reader.frames_at(wanted[first:end], place)

    @property
    def tick(self) -> Fraction:
        return self._stream.time_base or Fraction(0)

    @property
    def origin(self) -> int | None:
        return int(self._keys[0])

    def keys_until(self, seconds: float) -> tuple[int, ...]:
        return tuple(self._keys[self._seconds <= seconds + TOLERANCE_SECONDS][:-4:-1].tolist())

    def times(self, start: float, end: float) -> NDArray[np.float64]:
        return self._covering(start, end).times(start, end)

    def decoded(self, seconds: NDArray[np.float64]) -> Iterator[tuple[float, VideoFrame]]:
        yield from self._covering(float(seconds[0]), float(seconds[-1])).decoded(seconds)

    def _read_cues(self) -> NDArray[np.int64]:
        self._container.seek(0, stream=self._stream)  # FFmpeg reads the cues at the first seek
        keys = np.array([entry.timestamp for entry in self._stream.index_entries], np.int64)
        if len(keys) < 3 or (np.diff(keys) <= 0).any():
            raise LookupError
        return keys

    def _look(self) -> Facts:
        """Read the first and the last group of pictures.

        Raises:
            LookupError: the frame rate varies there, or no key frame is where it should be; so what lies
                between key frames can't be estimated.
        """
        self._seconds = (self._keys - self._keys[0]) * self._tick_seconds
        places = np.round(self._seconds * self._rate).astype(np.int64)
        last = scan(self._read_from(len(self._keys) - 1))
        duration = (
            int(last.pts.max(initial=0)) + last.last_duration - int(self._keys[0])
        ) * self._tick_seconds
        if (
            np.abs(places / self._rate - self._seconds).max() > self._slack
            or np.diff(self._seconds).max() > MAX_GAP_SECONDS
            or len(last.keys) != 1
            or last.last_duration <= 0
            or not 0 < duration <= MAX_SECONDS
            or not self._is_steady(last, int(self._keys[-1]), None)
        ):
            raise LookupError
        reader = self._covering(0.0, 0.0)
        if reader.packets.origin is None:
            raise LookupError
        return replace(
            reader.facts,
            duration_seconds=duration,
            frames=max(len(self._keys), round(duration * self._rate)),
            frame_rate=self._rate,
            scene_cuts=tuple(self._seconds[np.isin(places, early_keys(places))].tolist()),
        )

    @property
    def _slack(self) -> float:
        """How far a timestamp may be from its place at a constant rate: it is usually rounded to a ms."""
        return self._tick_seconds + 1e-3

    def _is_steady(self, index: PacketIndex, start: int, end: int | None) -> bool:
        """Whether all frames between two timestamps are there, and follow each other at the file's rate."""
        pts = np.sort(index.pts[index.shown])
        pts = pts[(pts >= start) & (pts <= (pts[-1:] if end is None else end))]
        gaps = np.diff(pts) * self._tick_seconds
        return bool((np.abs(gaps - 1 / self._rate) <= self._slack).all())

    def _groups_of(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Number of the group of pictures shown at each instant."""
        return np.maximum(np.searchsorted(self._seconds, seconds + TOLERANCE_SECONDS, side="right") - 1, 0)

    def _covering(self, start: float, end: float) -> DirectReader:
        """Return a reader of at least what is shown between two instants."""
        first, last = self._groups_of(np.array([start, end])).tolist()
        reader = self._reader
        if reader is not None:
            if reader.packets.origin is None or (self._covered[0] <= first and last <= self._covered[1]):
                return reader
            reader.close()
        self._covered = first, last
        self._reader = DirectReader(self.path, self._index(first, last), self._tick)
        return self._reader

    def _index(self, first: int, last: int) -> PacketIndex | None:
        """Read the packets of some groups; None if they contradict the cues."""
        end = int(self._keys[last + 1]) if last + 1 < len(self._keys) else None
        with suppress(av.FFmpegError, LookupError):
            found = scan(_until(self._read_from(first), end))
            listed, keys = self._keys[first : last + 1], found.pts[found.keys]
            if (
                np.array_equal(keys if end is None else keys[keys < end], listed)
                and (end is None or end in keys)
                and (first > 0 or found.pts.min() >= listed[0])
                and self._is_steady(found, int(listed[0]), end)
            ):
                return replace(found, confirmed=False, origin=int(self._keys[0]))
        return None

    def _read_from(self, group: int) -> Iterator[Packet[VideoStream]]:
        """Read packets from a key on."""
        self._container.seek(int(self._keys[group]), stream=self._stream)
        packets = demux(self._container, self._stream, self._tick)
        key = next(packets, None)
        if key is None or not key.is_keyframe or pts_of(key) != self._keys[group]:
            raise LookupError
        yield key
        yield from packets


Reader = DirectReader | CuedReader


def open_reader(
    path: Path, packets: PacketIndex | None = None, tick: Callable[[], None] = lambda: None
) -> Reader:
    """Open a video file with the reader that reads least; see `DirectReader`."""
    with suppress(LookupError, OSError, av.FFmpegError):
        if packets is None and path.suffix.lower() in _SUFFIXES and path.stat().st_size >= _LARGE_BYTES:
            return CuedReader(path, tick)
    return DirectReader(path, packets, tick)


def _until(packets: Iterator[Packet[VideoStream]], key: int | None) -> Iterator[Packet[VideoStream]]:
    """Stop a while after a key's timestamp, where all packets of the groups before it have been read."""
    for packet in packets:
        yield packet
        if packet.is_keyframe and pts_of(packet) == key:
            yield from islice(packets, _LEADING)
            return


def _pieces(seconds: Sequence[float], groups: Sequence[int] | None = None) -> Iterator[tuple[int, int]]:
    """Divide ascending instants into runs that are short, and that skip no group of pictures."""
    first = 0
    for place in range(1, len(seconds)):
        skips = groups is not None and groups[place] > groups[place - 1] + 1
        if skips or seconds[place] - seconds[first] > _SPAN_SECONDS:
            yield first, place
            first = place
    if len(seconds):
        yield first, len(seconds)
