"""What is known of a stream's packets without decoding them.

A packet's number is its position in the file, that is, in decode order. Knows packets and timestamps, not
pictures.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

__all__ = ["MAX_PACKETS", "NO_PTS", "PacketIndex", "pts_of", "scan"]

MAX_PACKETS = 20_000_000
"""Four days at 60 frames per second; only a forged file has more."""

NO_PTS = -(1 << 63)
"""Marks a missing timestamp in `PacketIndex.pts`."""


@dataclass(frozen=True)
class PacketIndex:
    """What is known of a stream's N packets without decoding; K of them are keys."""

    pts: NDArray[np.int64]
    """[N] presentation timestamps in the stream's time base; `NO_PTS` if missing."""
    shown: NDArray[np.bool_]
    """[N] whether the packet's frame is shown; an edit list may hide it."""
    keys: NDArray[np.int64]
    """[K] packet numbers, ascending."""
    key_dts: NDArray[np.int64]
    """[K] decoding timestamps of the keys; `pts` if missing."""
    last_duration: int
    """Duration of the packet shown last, in the time base; 0 if unknown."""
    constant: bool
    """Whether the decoder's parameters never change, so that packets can be skipped."""
    confirmed: bool = True
    """Whether all packets have been read. Otherwise the container's own index says what they are."""
    origin: int | None = None
    """Timestamp of the file's first frame, if these are the packets of a stretch of it, from a key on; None
    if they are all."""

    def to_bytes(self) -> bytes:
        """Write the index for another process; see `from_bytes`."""
        file = io.BytesIO()
        np.savez(file, **vars(self))
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> PacketIndex:
        with np.load(io.BytesIO(data)) as stored:
            arrays = {name: stored[name] for name in ("pts", "shown", "keys", "key_dts")}
            return cls(
                **arrays,
                last_duration=int(stored["last_duration"]),
                constant=bool(stored["constant"]),
                confirmed=bool(stored["confirmed"]),
            )  # a stretch isn't passed on

    def starts_of(self, packets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the packets at which decoding must start to get the frames of some packets [n] right.

        This is the last key that neither follows the packet in the file nor is shown after it: a frame that
        follows a key in the file but is shown before it may refer to frames before that key (an open group
        of pictures). Without such a key, or if it is the first, it is packet 0, because earlier packets are
        decoded along with the first key.
        """
        if not len(self.keys):
            return np.zeros_like(packets)
        places = np.maximum(np.searchsorted(self.keys, packets, side="right") - 1, 0)
        while (late := (places > 0) & (self.pts[self.keys[places]] > self.pts[packets])).any():
            places -= late
        starts: NDArray[np.int64] = np.where(places > 0, self.keys[places], 0)
        return starts


def pts_of(packet: Packet[VideoStream]) -> int:
    return NO_PTS if packet.pts is None else packet.pts


def scan(packets: Iterator[Packet[VideoStream]]) -> PacketIndex:
    """Read all packets of a stream."""
    pts, keys, key_dts, shown = array("q"), array("q"), array("q"), bytearray()
    latest, last_duration, constant = NO_PTS, 0, True
    # A truncated file ends in an error; the packets before it count.
    with contextlib.suppress(av.FFmpegError):
        for number, packet in enumerate(itertools.islice(packets, MAX_PACKETS)):
            when = pts_of(packet)
            pts.append(when)
            shown.append(packet.size > 0 and not packet.is_discard)
            if packet.is_keyframe:
                keys.append(number)
                key_dts.append(when if packet.dts is None else packet.dts)
            if when > latest:
                latest, last_duration = when, packet.duration or 0
            constant = constant and not (number and packet.has_sidedata("new_extradata"))
    return PacketIndex(
        pts=np.array(pts, np.int64),
        shown=np.frombuffer(bytes(shown), np.bool_),
        keys=np.array(keys, np.int64),
        key_dts=np.array(key_dts, np.int64),
        last_duration=last_duration,
        constant=constant,
    )
