"""Open a file, index its video packets once, and read them by number.

A packet's number is its position in the file, that is, in decode order. Every packet that is read is checked
against the index; if seeking lands elsewhere, the file is read from the start instead. Knows packets and
timestamps, not pictures.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.video.files import refuse_lists

__all__ = ["MAX_PIXELS", "NO_PTS", "PacketIndex", "PacketReader", "SeekError", "open_video"]

MAX_PIXELS = 8192 * 8192
"""Larger pictures are refused: as RGB this one takes 200 MB."""

_LIMITS = {"max_pixels": str(MAX_PIXELS)}

_MAX_PACKETS = 20_000_000
"""Four days at 60 frames per second; only a forged file has more."""

_SKIM = 256
"""Up to this distance packets are read rather than skipped by a seek: microseconds per packet against up to a
millisecond."""

NO_PTS = -(1 << 63)
"""Marks a missing timestamp in `PacketIndex.pts`."""

_PLAYLISTS = frozenset({"concat", "dash", "hls", "imf", "webm_dash_manifest"})


class SeekError(Exception):
    """After a seek, the file returned other packets than before."""


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a file and choose its video stream, without decoding.

    Raises:
        VideoError: the file is missing, empty, not a video, has no video stream, or uses a codec that can't
            be decoded; the message says which.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise VideoError(f"{path}: is {'a folder' if path.is_dir() else 'a device'}, not a video file")
        if size == 0:
            raise VideoError(f"{path}: is empty (0 bytes)")
        refuse_lists(path)
        container = av.open(
            f"file:{path}",  # without the prefix, a colon in the name would end a protocol
            # Playlists can't fetch from the network, forged headers can't claim gigabytes, and titles in
            # Latin-1 don't make a file unreadable.
            container_options={"protocol_whitelist": "file"},
            options=_LIMITS,
            metadata_errors="replace",
        )
    except FileNotFoundError as error:
        raise VideoError(f"{path}: there is no such file") from error
    except OSError as error:
        raise VideoError(f"{path}: can't be read ({error.strerror})") from error
    except av.FFmpegError as error:
        raise VideoError(f"{path}: is not a video that FFmpeg can read ({error.strerror})") from error
    try:
        return container, _video_stream(path, container)
    except VideoError:
        container.close()
        raise


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    if _PLAYLISTS.intersection(container.format.name.split(",")):
        raise VideoError(f"{path}: is a playlist, not a video; give the files that it lists")
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        held = sorted({stream.type for stream in container.streams} - {"video", "unknown"})
        raise VideoError(f"{path}: has no video stream: it holds only {' and '.join(held) or 'a picture'}")
    best = container.streams.best("video")
    stream = next((s for s in streams if best is not None and s.index == best.index), streams[0])
    if stream.codec_context is None:
        raise VideoError(f"{path}: uses a video codec that this FFmpeg can't decode")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise VideoError(f"{path}: is {width}x{height}, more than the maximum of {MAX_PIXELS} pixels")
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    # Threads are per reader, and many readers run at once. FRAME threading delays output, and can hang
    # together with PyAV's logging.
    stream.thread_type = "SLICE"
    stream.codec_context.options = _LIMITS
    return stream


@dataclass(frozen=True)
class PacketIndex:
    """What one pass over a stream's N packets reveals without decoding; K of them are keys."""

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
                **arrays, last_duration=int(stored["last_duration"]), constant=bool(stored["constant"])
            )

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


def _scan(packets: Iterator[Packet[VideoStream]]) -> PacketIndex:
    pts, keys, key_dts, shown = array("q"), array("q"), array("q"), bytearray()
    latest, last_duration, constant = NO_PTS, 0, True
    # A truncated file ends in an error; the packets before it count.
    with contextlib.suppress(av.FFmpegError):
        for number, packet in enumerate(itertools.islice(packets, _MAX_PACKETS)):
            when = _pts(packet)
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


class PacketReader:
    """A file's video packets by number, and their decoder; memory doesn't grow while reading.

    Opening scans all packets, unless the `index` of an earlier scan is given.

    Args:
        path: the file.
        index: of an earlier scan.
        tick: called for every packet, so that somebody can tell progress from a hang.

    Raises:
        VideoError: see `open_video`; or the video stream has no packets.
    """

    def __init__(
        self, path: Path, index: PacketIndex | None = None, tick: Callable[[], None] = lambda: None
    ) -> None:
        self.path = path
        self._tick = tick
        self._container, self.stream = open_video(path)
        self.index = index or _scan(_demux(self._container, self.stream, self._tick))
        if not len(self.index.pts):
            self.close()
            raise VideoError(f"{path}: its video stream is empty, or cut off before the first frame")
        self.position = len(self.index.pts)
        """Number of the packet that `read` returns next."""
        self._packets: Iterator[Packet[VideoStream]] = iter(())
        self._sought = False
        self._seeks_by_dts = False
        key_pts = self.index.pts[self.index.keys]
        self._key_numbers = dict(zip(key_pts.tolist(), self.index.keys.tolist(), strict=True))
        self._seekable = len(self._key_numbers) == len(key_pts) and NO_PTS not in self._key_numbers

    @property
    def format_name(self) -> str:
        """FFmpeg's name of the container format; if one reader handles several, their names with commas."""
        return self._container.format.name

    def close(self) -> None:
        self._container.close()

    def read(self) -> Packet[VideoStream] | None:
        """Return the next packet, or None at the end of the file.

        Raises:
            SeekError: after a seek, the packet differs from the index; `jump` again.
        """
        if self.position == len(self.index.pts):
            return None
        packet = None
        with contextlib.suppress(av.FFmpegError):  # damage that the scan did not meet
            packet = next(self._packets, None)
        if self._sought and (packet is None or _pts(packet) != self.index.pts[self.position]):
            self._seekable = False
            self.position = len(self.index.pts)
            raise SeekError
        self.position = len(self.index.pts) if packet is None else self.position + 1
        return packet

    def jump(self, number: int) -> None:
        """Continue reading at packet `number`, 0 or a key, with a flushed decoder; raises as `read` does."""
        self.stream.codec_context.flush_buffers()
        if not 0 <= number - self.position <= _SKIM and not self._seek(number):
            self.rewind()
        while self.position < number:
            self.read()

    def rewind(self) -> None:
        """Open the file again and continue reading at packet 0, without a seek."""
        self._container.close()
        self._container, self.stream = open_video(self.path)
        self._packets, self._sought = _demux(self._container, self.stream, self._tick), False
        self.position = 0

    def _seek(self, number: int) -> bool:
        """Seek to key packet `number` or an earlier key; return whether that worked."""
        place = int(np.searchsorted(self.index.keys, number))
        while self._seekable and place < len(self.index.keys) and self.index.keys[place] == number:
            # MP4 and Matroska seek by presentation time, transport streams by decoding time.
            times = self.index.key_dts if self._seeks_by_dts else self.index.pts[self.index.keys]
            found = self._land(int(times[place]))
            if found is not None and found <= number:
                return True
            self._seekable, self._seeks_by_dts = not self._seeks_by_dts, True
        return False

    def _land(self, timestamp: int) -> int | None:
        """Seek, and return the number of the first key packet read afterwards."""
        try:
            self._container.seek(timestamp, stream=self.stream)
            packets = _demux(self._container, self.stream, self._tick)
            key = next(packet for packet in packets if packet.is_keyframe)
        except (av.FFmpegError, StopIteration):
            return None
        self._packets, self._sought = itertools.chain([key], packets), True
        self.position = self._key_numbers.get(_pts(key), len(self.index.pts))
        return self.position


def _demux(
    container: InputContainer, stream: VideoStream, tick: Callable[[], None]
) -> Iterator[Packet[VideoStream]]:
    for packet in container.demux(stream):
        if packet.size == 0 and packet.dts is None and packet.pts is None:
            return  # PyAV ends with an empty packet that flushes the decoder
        tick()
        yield packet


def _pts(packet: Packet[VideoStream]) -> int:
    return NO_PTS if packet.pts is None else packet.pts
