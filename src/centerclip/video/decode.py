"""Decode the frames that a file shows at given instants, exactly as decoding the whole file would.

A frame is shown from its timestamp until the next one's. `DirectReader` uses the packets' timestamps to plan
which groups of pictures to decode. If a file contradicts its own packets, everything up to the instant is
decoded instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from fractions import Fraction
from functools import partial

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.records import Sampling, Window
from centerclip.remote import as_place
from centerclip.video.facts import Facts
from centerclip.video.frames import DamageError, FrameStream
from centerclip.video.packet_index import PacketIndex
from centerclip.video.packets import ContainerIndexError, PacketReader, SeekError, stated_rate
from centerclip.video.pictures import PictureMaker, Place, upright_size
from centerclip.video.playback import Playback
from centerclip.video.sampling import choose_instants
from centerclip.video.timeline import TOLERANCE_SECONDS, Timeline
from centerclip.video.windows import instants, strides

__all__ = ["DirectReader"]

# Codecs whose key frames don't depend on earlier frames. Others, such as animated pictures and screen
# recorders, are decoded from the start.
_RANDOM_ACCESS_CODECS = frozenset(
    {"av1", "dnxhd", "dvvideo", "ffv1", "flv1", "h263", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video"}
    | {"mpeg4", "msmpeg4v2", "msmpeg4v3", "prores", "vp8", "vp9", "wmv1", "wmv2"}
)


class DirectReader:
    """A video file that is decoded in this process; use it in a `with` block and from one thread at a time.

    Args:
        path: any file that FFmpeg can read.
        packets: of the file or of a stretch of it, as another reader has them; otherwise they are found. Of a
            stretch, only its own frames can be requested. If it doesn't decode on its own, the reader goes on
            with all packets.
        tick: called for every packet read.

    Raises:
        VideoError: no frame can be decoded; the message says why.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        packets: PacketIndex | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = as_place(path)
        self._packets = PacketReader(self.path, packets, tick)
        self._pictures = PictureMaker()
        try:
            try:
                self._begin()
            except ContainerIndexError:
                self._begin_again()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Decode the first frame, and lay out the others by the index."""
        self._stream = FrameStream(self._packets)
        first = self._first_frame()
        self._size = upright_size(first)
        self._timeline = Timeline.of(
            self._packets.index,
            tick=self._packets.stream.time_base or Fraction(0),
            rate=stated_rate(self._packets.stream),
            first_pts=first.pts,
            ordered=self._packets.timed_by_order,
        )
        codec = self._packets.stream.codec_context.codec.canonical_name
        self._planning = (
            self._stream.strict
            and self._timeline.exact
            and self._packets.index.constant
            and codec in _RANDOM_ACCESS_CODECS
        )
        if self._packets.index.origin is not None and not self._planning:
            raise ContainerIndexError  # of a stretch, only planned frames are right
        self._playback: Playback | None = None

    def _begin_again(self) -> None:
        """Read all packets of the file: the index by which the frames are laid out is wrong or not enough."""
        self._packets.scan()
        self._begin()

    def __enter__(self) -> DirectReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._packets.close()

    @property
    def packets(self) -> PacketIndex:
        return self._packets.index

    @property
    def facts(self) -> Facts:
        """What there is to know about the file's pictures without decoding more of them."""
        height, width = self._size
        cuts = self._timeline.scene_cuts(self._packets.index.keys) if self._timeline.exact else []
        return Facts(
            duration_seconds=self._timeline.duration_seconds,
            frames=len(np.unique(self._timeline.seconds)),
            width=width,
            height=height,
            frame_rate=self._timeline.rate,
            codec=self._packets.stream.codec_context.codec.canonical_name,
            random_access=self._planning,
            scene_cuts=tuple(cuts),
            recorded=None if (recorded := self._packets.recorded) is None else astuple(recorded),
        )

    def choose(
        self,
        windows: Sequence[Window],
        frames: int,
        sampling: Sampling,
        *,
        cuts: Sequence[float] | None = None,
    ) -> NDArray[np.float64]:
        """Choose at which instants to look at windows, one for each of their equal strides.

        In a file that must be decoded from its start, all frames cost the same, so the centers are chosen.

        Args:
            windows: W stretches of the file, at least one, in time order, without overlap.
            frames: T, strides per window, at least 1.
            sampling: which frame represents a stride.
            cuts: the file's scene cuts in seconds, if the reader has only a stretch of its packets.

        Returns:
            [W * T] seconds, not descending, for `frames_at`.

        Raises:
            ValueError: `frames` below 1, or a window that is empty or not finite.
        """
        if sampling == "center" or not self._planning:
            return np.concatenate([instants(window, frames) for window in windows])
        height, width = self._size
        index = self._packets.index
        choose = partial(
            choose_instants,
            self._timeline,
            index,
            sampling=sampling,
            pixels=height * width,
            cuts=self._timeline.scene_cuts(index.keys) if cuts is None else cuts,
        )
        return np.concatenate([choose(strides(window, frames)) for window in windows])

    def frames_at(
        self, seconds: Sequence[float] | NDArray[np.float64], place: Place | None = None
    ) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield the frame shown at each instant, decoding as little as possible.

        Exhaust one iterator before requesting another. Memory doesn't grow with the number of instants.

        Args:
            seconds: ascending, counted from the first frame. Earlier instants show the first frame, later
                ones the last.
            place: returns the array for a picture of a given size, by default a new one.

        Yields:
            The frame's time in seconds from the first frame, and its picture: [H, W, 3] uint8, upright RGB.
            Instants that show the same frame share one array.

        Raises:
            ValueError: instants that descend or aren't finite.
        """
        wanted = np.asarray(seconds, np.float64)
        if not np.isfinite(wanted).all() or (np.diff(wanted) < 0).any():
            raise ValueError("seconds must be finite and ascend")
        return self._frames_at(wanted, place)

    @property
    def tick(self) -> Fraction:
        """Seconds per unit of timestamp."""
        return self._timeline.tick

    @property
    def origin(self) -> int | None:
        """Timestamp of the first frame, if packets can be copied by their timestamps; otherwise None."""
        return self._timeline.origin if self._planning else None

    def keys_until(self, seconds: float) -> tuple[int, ...]:
        """Timestamps of up to three key frames at or before an instant, latest first."""
        index = self._packets.index
        keys = np.sort(index.pts[index.keys[index.shown[index.keys]]])
        times = (keys - (self._timeline.origin or 0)) * float(self.tick)
        return tuple(keys[times <= seconds + TOLERANCE_SECONDS][:-4:-1].tolist())

    def times(self, start: float, end: float) -> NDArray[np.float64]:
        """See `Timeline.times`."""
        return self._timeline.times(start, end)

    def decoded(self, seconds: NDArray[np.float64]) -> Iterator[tuple[float, VideoFrame]]:
        """Yield frames as `frames_at` does, but as the decoder returns them: not upright, and in its format.

        Args:
            seconds: [N] ascending.

        Yields:
            The frame's time in seconds from the first frame, and the frame.
        """
        given = 0
        while given < len(seconds):
            frames = self._planned(seconds[given:]) if self._planning else self._streamed(seconds[given:])
            try:
                for shown in frames:
                    given += 1
                    yield shown
            except DamageError:
                if self._packets.index.origin is None:
                    self._planning = False
                else:
                    self._begin_again()
            except ContainerIndexError:
                self._begin_again()

    def _frames_at(
        self, seconds: NDArray[np.float64], place: Place | None
    ) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        before: VideoFrame | None = None
        picture = np.empty(0, np.uint8)
        for time, frame in self.decoded(seconds):
            if frame is not before:
                before, picture = frame, self._pictures.picture(frame, place)
            yield time, picture

    def _planned(self, seconds: NDArray[np.float64]) -> Iterator[tuple[float, VideoFrame]]:
        """Decode only the groups of pictures that hold the wanted frames."""
        numbers, counts = np.unique(self._timeline.frames_at(seconds), return_counts=True)
        places = self._timeline.packets[numbers]
        packets: list[int] = places.tolist()
        starts: list[int] = self._packets.index.starts_of(places).tolist()
        untils = _run_ends(packets, starts)
        self._stream.want(packets)
        for packet, start, until, count in zip(packets, starts, untils, counts, strict=True):
            frame = self._reach(packet, start, until)
            time = self._timeline.time_of(self._stream.time(frame))
            for _ in range(count):
                yield time, frame

    def _reach(self, packet: int, start: int, until: int | None) -> VideoFrame:
        """Decode up to a packet's frame."""
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
            # A packet without its own frame, such as the second field of an interlaced picture: skipping may
            # have dropped the frame that is shown instead.
            self._stream.skipping = go_on = False

    def _streamed(self, seconds: NDArray[np.float64]) -> Iterator[tuple[float, VideoFrame]]:
        """Decode everything up to each instant, as a player would."""
        if self._playback is None:
            self._playback = Playback(self._stream, self._timeline)
        for instant in seconds.tolist():
            yield self._playback.at(instant)

    def _first_frame(self) -> VideoFrame:
        """Decode the first frame, and find out whether the file seeks and decodes cleanly."""
        while True:
            try:
                frame = self._stream.next()
                break
            except SeekError:
                self._stream.start(0)  # the reader won't seek from now on
            except DamageError:
                self._stream.rewind()  # damage is tolerated from now on
        if frame is None:
            reason = self._stream.last_error or "the decoder returned no picture"
            raise VideoError(f"{self.path}: none of its frames can be decoded ({reason})")
        return frame


def _run_ends(packets: list[int], starts: list[int]) -> list[int | None]:
    """Return for each wanted packet the last wanted packet of its run, which is decoded without seeking.

    A decoder delays frames until it gets later packets. At the end of a run it is flushed instead, because
    nothing between two runs is needed. The last run has no end (None): the next call may continue it.
    """
    ends: list[int | None] = [None] * len(packets)
    first, last = 0, -1
    for place, (packet, start) in enumerate(zip(packets, starts, strict=True)):
        if place and start > last:
            ends[first:place] = [last] * (place - first)
            first = place
        last = max(last, packet)
    return ends
