"""Decode frames in display order, starting at any packet.

Given a set of wanted packets, frames that no other frame refers to are skipped. Knows how a decoder behaves;
the reader decides which frames to request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import av
from av.video.frame import PictureType, VideoFrame

from centerclip.video.hardware import use_gpu
from centerclip.video.packets import PacketReader

__all__ = ["DamageError", "FrameStream"]

# Decoders whose other frames don't change with skip_frame=NONREF; libdav1d's do.
_SKIPPING_CODECS = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"})

_MAX_ERRORS = 500
"""Consecutive packets that fail to decode before a damaged file is abandoned."""


class DamageError(Exception):
    """The frames depend on where decoding started, so the file must be decoded from the beginning."""


class FrameStream:
    """The frames decoded from a packet reader.

    Attributes:
        strict: raise `DamageError` at the first sign of damage; otherwise continue, as players do.
        skipping: whether to skip frames that are neither wanted nor referred to.
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
        """Restart at packet 0, decode every frame on the CPU, and tolerate damaged packets."""
        use_gpu(None)  # which may be what went wrong
        self.strict = self.skipping = False
        self._wanted = None
        self._packets.rewind()
        self.start(0)

    def start(self, packet: int) -> None:
        """Restart decoding at packet 0 or at a key packet."""
        self.last: VideoFrame | None = None
        self._ready: deque[VideoFrame] = deque()
        self._ended = False
        self._errors = 0
        self._reachable = self._wanted
        index = self._packets.index
        # A hidden key gives no frame to check; decoding from the first packet of the file needs no check.
        amid = packet > 0 or index.origin is not None
        self._unproven_key = int(index.pts[packet]) if amid and index.shown[packet] else None
        self._floor = int(index.pts[packet]) if amid else None
        self._latest: int | None = None
        self._packets.jump(packet)

    def want(self, packets: Iterable[int]) -> None:
        """Set the packets whose frames will be requested."""
        before, self._wanted = self._wanted, frozenset(packets)
        # Packets read earlier may have been skipped, unless they were wanted then too.
        kept = self._wanted if before is None else before
        position = self._packets.position
        self._reachable = frozenset(packet for packet in self._wanted if packet >= position or packet in kept)

    def reaches(self, packet: int) -> bool:
        """Whether the frame of a wanted packet is still to come, or is the latest one returned."""
        if self._ended and packet >= self._packets.position:
            return False
        if self.last is not None and self._packets.index.pts[packet] < self.time(self.last):
            return False
        return self._reachable is None or packet in self._reachable

    def next(self, until: int | None = None) -> VideoFrame | None:
        """Return the next frame, or None after the last.

        Args:
            until: the last packet to read. The decoder is then flushed, and only `start` can continue.

        Raises:
            DamageError: if strict: a packet doesn't decode; a frame is corrupt, has no timestamp or is out of
                order; or a key packet doesn't yield a key frame.
            SeekError: see `PacketReader.read`.
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
        """Return the last frame whose timestamp is at most `pts`; see `next` for `until` and errors.

        Raises:
            DamageError: there is no such frame since `start`.
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
            return False  # a leading frame, which refers to frames that weren't decoded
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
        """A frame's timestamp; raises `DamageError` if it has none."""
        if frame.pts is None:
            raise DamageError
        return frame.pts
