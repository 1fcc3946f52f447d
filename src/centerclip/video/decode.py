"""The frames of a file at given instants: exactly those that decoding everything would show then.

A frame is shown from its timestamp until that of the next one, so at instant t one sees the last frame
whose timestamp is not after t. `VideoReader` plans from the packets' timestamps which groups of pictures
it has to decode; where a file contradicts its own packets, it decodes everything up to the instant.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.records import VideoInfo
from centerclip.video.files import content_id
from centerclip.video.frames import DamageError, FrameStream
from centerclip.video.packets import PacketReader, SeekError
from centerclip.video.pictures import PictureMaker, upright_size
from centerclip.video.playback import Playback
from centerclip.video.timeline import Timeline

__all__ = ["VideoReader", "probe"]

# Codecs whose key frames owe nothing to what stands before them. Others, such as animated pictures and
# screen recorders, are decoded from their start.
_RANDOM_ACCESS_CODECS = frozenset(
    {"av1", "dnxhd", "dvvideo", "ffv1", "flv1", "h263", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video"}
    | {"mpeg4", "msmpeg4v2", "msmpeg4v3", "prores", "vp8", "vp9", "wmv1", "wmv2"}
)


class VideoReader:
    """A video file, opened to be looked at; for a `with` block, and for one thread at a time.

    Args:
        path: any file that FFmpeg can read.

    Raises:
        VideoError: no frame can be had of the file; the message says why.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._packets = PacketReader(self.path)
        try:
            self._stream = FrameStream(self._packets)
            first = self._first_frame()
            self._pictures = PictureMaker()
            self._size = upright_size(first)
            self._timeline = Timeline.of(
                self._packets.index,
                tick=self._packets.stream.time_base or Fraction(0),
                rate=_stated_rate(self._packets.stream),
                first_pts=first.pts,
                ordered=_timed_by_order(self._packets),
            )
        except BaseException:
            self.close()
            raise
        codec = self._packets.stream.codec_context.codec.canonical_name
        self._planning = (
            self._stream.strict
            and self._timeline.exact
            and self._packets.index.constant
            and codec in _RANDOM_ACCESS_CODECS
        )
        self._playback: Playback | None = None

    def twin(self) -> VideoReader:
        """Open the file once more, for another thread, without reading its packets again.

        Works on a closed reader too. The twin gives the same frames, each decoded from its group's start.
        """
        twin = copy.copy(self)
        twin._packets = PacketReader(self.path, self._packets.index)
        try:
            twin._stream = FrameStream(twin._packets)
        except BaseException:
            twin.close()
            raise
        twin._pictures, twin._playback = PictureMaker(), None
        return twin

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._packets.close()

    @property
    def info(self) -> VideoInfo:
        """What is known of the file; its content is hashed on each call."""
        status = self.path.stat()
        height, width = self._size
        return VideoInfo(
            path=self.path,
            video_id=content_id(self.path),
            duration_seconds=self.duration_seconds,
            width=width,
            height=height,
            frame_rate=self._timeline.rate,
            codec=self._packets.stream.codec_context.codec.canonical_name,
            size_bytes=status.st_size,
            modified_seconds=status.st_mtime,
        )

    @property
    def duration_seconds(self) -> float:
        """From the first frame until the last one ends."""
        return self._timeline.duration_seconds

    @property
    def random_access(self) -> bool:
        """Whether a frame costs no more than its group of pictures, so that twins may share a file."""
        return self._planning

    def scene_cuts(self) -> list[float]:
        """Likely scene cuts, in seconds, from where the encoder put key frames (`Timeline.scene_cuts`)."""
        return self._timeline.scene_cuts(self._packets.index.keys) if self._timeline.exact else []

    def frames_at(
        self, seconds: Sequence[float] | NDArray[np.float64]
    ) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Give what is shown at each of some instants, decoding as little as that takes.

        Use up one iterator before asking for another. Memory doesn't grow with the count of instants.

        Args:
            seconds: instants from the first frame, ascending. Before the first frame it is the first that
                is shown, after the last one the last.

        Yields:
            For each instant the time of the frame, in seconds from the first, and its picture, [H, W, 3]
            uint8 upright RGB. Instants that show the same frame get the same array.

        Raises:
            ValueError: instants that descend or are not finite.
        """
        wanted = np.asarray(seconds, np.float64)
        if not np.isfinite(wanted).all() or (np.diff(wanted) < 0).any():
            raise ValueError("seconds must be finite and ascend")
        return self._frames_at(wanted)

    def _frames_at(self, seconds: NDArray[np.float64]) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        given = 0
        before: VideoFrame | None = None
        picture = np.empty(0, np.uint8)
        while given < len(seconds):
            frames = self._planned(seconds[given:]) if self._planning else self._streamed(seconds[given:])
            try:
                for time, frame in frames:
                    if frame is not before:
                        before, picture = frame, self._pictures.picture(frame)
                    given += 1
                    yield time, picture
            except DamageError:
                self._planning = False

    def _planned(self, seconds: NDArray[np.float64]) -> Iterator[tuple[float, VideoFrame]]:
        """Decode only the groups of pictures that hold the wanted frames."""
        numbers, counts = np.unique(self._timeline.frames_at(seconds), return_counts=True)
        packets: list[int] = self._timeline.packets[numbers].tolist()
        starts = [self._packets.index.start_of(packet) for packet in packets]
        untils = _run_ends(packets, starts)
        self._stream.want(packets)
        for packet, start, until, count in zip(packets, starts, untils, counts, strict=True):
            frame = self._reach(packet, start, until)
            time = self._timeline.time_of(self._stream.time(frame))
            for _ in range(count):
                yield time, frame

    def _reach(self, packet: int, start: int, until: int | None) -> VideoFrame:
        """Decode up to the frame of a packet."""
        pts = int(self._packets.index.pts[packet])
        go_on = self._stream.reaches(packet) and start <= self._packets.position
        while True:
            try:
                if not go_on:
                    self._stream.start(start)
                frame = self._stream.advance(pts, until)
            except SeekError:
                go_on = False
                continue
            if frame.pts == pts or not self._stream.skipping:
                return frame
            # A packet without a frame of its own, such as the second field of an interlaced picture:
            # skipping may have left out the frame that is shown instead.
            self._stream.skipping = go_on = False

    def _streamed(self, seconds: NDArray[np.float64]) -> Iterator[tuple[float, VideoFrame]]:
        """Decode everything up to each instant, as a player would."""
        if self._playback is None:
            self._playback = Playback(self._stream, self._timeline)
        for instant in seconds.tolist():
            yield self._playback.at(instant)

    def _first_frame(self) -> VideoFrame:
        """Decode the first frame there is, and learn by the way whether the file is sound."""
        while True:
            try:
                frame = self._stream.next()
                break
            except SeekError:
                self._stream.start(0)  # from now on the reader doesn't seek
            except DamageError:
                self._stream.rewind()  # from now on damage is put up with
        if frame is None:
            reason = self._stream.last_error or "the decoder gives no picture"
            raise VideoError(f"{self.path}: none of its frames can be decoded ({reason})")
        return frame


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Describe a file: reads all of its packets and decodes its first frame.

    Raises:
        VideoError: no frame can be had of the file.
    """
    with VideoReader(path) as reader:
        return reader.info


def _stated_rate(stream: VideoStream) -> float:
    """Frames a second as the file states it, or 25 where that is absurd."""
    stated = (float(rate or 0) for rate in (stream.average_rate, stream.guessed_rate))
    return next((rate for rate in stated if 1 <= rate <= 1000), 25.0)


def _timed_by_order(packets: PacketReader) -> bool:
    """Whether FFmpeg made the timestamps up from the packets' order, though frames are shown in another.

    AVI has no timestamps; with B-frames, which are not stored in the order in which they are shown, the
    right ones land on the wrong frames.
    """
    reorders = bool(packets.stream.codec_context.has_b_frames)
    ascending = bool((np.diff(packets.index.pts[packets.index.shown]) > 0).all())
    return packets.format_name == "avi" and reorders and ascending


def _run_ends(packets: list[int], starts: list[int]) -> list[int | None]:
    """Find for each wanted packet the last one of its run: those that are decoded without a jump.

    A decoder holds frames back until later packets come. At the end of a run it is emptied instead, as
    what lies between two runs is of no use. The last run is left open (None), for the next call may go on
    from there.
    """
    ends: list[int | None] = [None] * len(packets)
    first, last = 0, -1
    for place, (packet, start) in enumerate(zip(packets, starts, strict=True)):
        if place and start > last:
            ends[first:place] = [last] * (place - first)
            first = place
        last = max(last, packet)
    return ends
