"""Decoded frames in the order in which they are shown, from any packet on.

What is needless is not decoded: with a set of wanted packets, frames that nothing refers to are skipped.
Knows how a decoder behaves; which frames to ask for is the reader's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import av
from av.video.frame import PictureType, VideoFrame

from centerclip.video.packets import PacketReader

__all__ = ["DamageError", "FrameStream"]

# Decoders that honor skip_frame=NONREF without a change to the frames they do give; libdav1d does not.
_SKIPPING_CODECS = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"})

_MAX_ERRORS = 500
"""Packets in a row that fail to decode before a damaged file is given up."""


class DamageError(Exception):
    """Frames that depend on where decoding began: only a decode from the start gives what others see."""


class FrameStream:
    """Frames out of a packet reader.

    Attributes:
        strict: raise `DamageError` at the first sign of damage; otherwise go on as players do.
        skipping: whether frames that are not wanted and that nothing refers to are left out.
    """

    def __init__(self, packets: PacketReader) -> None:
        self.path = packets.path
        self._packets = packets
        self.strict = True
        self.last_error: str | None = None
        self.skipping = packets.stream.codec_context.name in _SKIPPING_CODECS
        self._wanted: frozenset[int] | None = None
        self._reachable: frozenset[int] | None = None
        self.start(0)

    def rewind(self) -> None:
        """Begin anew at packet 0, give every frame, and go on where packets are damaged."""
        self.strict = self.skipping = False
        self._wanted = None
        self._packets.rewind()
        self.start(0)

    def start(self, packet: int) -> None:
        """Begin anew at packet 0 or at a key."""
        self.last: VideoFrame | None = None
        self._ready: deque[VideoFrame] = deque()
        self._ended = False
        self._errors = 0
        self._reachable = self._wanted
        index = self._packets.index
        # An unshown key gives no frame to check it by; from packet 0 there is nothing to distrust.
        self._unproven_key = int(index.pts[packet]) if packet and index.shown[packet] else None
        self._floor = int(index.pts[packet]) if packet else None
        self._latest: int | None = None
        self._packets.jump(packet)

    def want(self, packets: Iterable[int] | None) -> None:
        """Say whose frames will be asked for; None for every packet's."""
        before, self._wanted = self._wanted, None if packets is None else frozenset(packets)
        if before is not None and self._wanted is not None:
            # What has been read under another wish may have been skipped.
            position = self._packets.position
            self._reachable = frozenset(p for p in self._wanted if p >= position or p in before)
        else:
            self._reachable = self._wanted if before is None else frozenset()

    def reaches(self, packet: int) -> bool:
        """Whether the frame of a wanted packet still comes, or is the last one given."""
        if self._ended and packet >= self._packets.position:
            return False
        if self.last is not None and self._packets.index.pts[packet] < self.time(self.last):
            return False
        return self._reachable is None or packet in self._reachable

    def next(self, until: int | None = None) -> VideoFrame | None:
        """Give the next frame, or None after the last.

        Args:
            until: a packet after which no other is read: the frames still inside the decoder are given,
                and then it takes `start` to go on.

        Raises:
            DamageError: when strict, a packet that doesn't decode, a frame that the decoder calls corrupt,
                that has no timestamp or comes out of order, or a key packet whose frame is none.
            SeekError: as `PacketReader.read`.
        """
        while not self._ready:
            if self._ended:
                return None
            number = self._packets.position
            done = until is not None and number > until
            packet = None if done else self._packets.read()
            self._ended = packet is None
            decoder = self._packets.stream.codec_context
            needed = not self.skipping or self._wanted is None or number in self._wanted
            decoder.skip_frame = "DEFAULT" if needed else "NONREF"
            try:
                frames = decoder.decode(packet)
            except av.FFmpegError as error:
                self._errors += 1
                self.last_error = error.strerror
                if self.strict:
                    raise DamageError from error
                self._ended = self._ended or self._errors >= _MAX_ERRORS
                continue
            self._errors = 0
            self._ready.extend(frame for frame in frames if self._accepts(frame))
        self.last = self._ready.popleft()
        return self.last

    def advance(self, pts: int, until: int | None = None) -> VideoFrame:
        """Give the last frame whose timestamp is not after `pts`. `until` and errors are as in `next`.

        Raises:
            DamageError: there is none since `start`.
        """
        while self.last is None or self.time(self.last) < pts:
            before, frame = self.last, self.next(until)
            if frame is None:
                break
            if self.time(frame) > pts:
                self._ready.appendleft(frame)
                self.last = before
                break
        if self.last is None:
            raise DamageError
        return self.last

    def _accepts(self, frame: VideoFrame) -> bool:
        if not self.strict:
            return True
        time = self.time(frame)
        if self._latest is None and self._floor is not None and time < self._floor:
            return False  # a leading frame, which refers to what was not decoded
        if self._unproven_key is not None:
            key = frame.key_frame and frame.pict_type == PictureType.I
            if not key or time != self._unproven_key:
                raise DamageError
            self._unproven_key = None
        if frame.is_corrupt or (self._latest is not None and time < self._latest):
            raise DamageError
        self._latest = time
        return True

    @staticmethod
    def time(frame: VideoFrame) -> int:
        """The timestamp of a frame.

        Raises:
            DamageError: it has none.
        """
        if frame.pts is None:
            raise DamageError
        return frame.pts
