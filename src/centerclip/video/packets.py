"""A file's video packets: opening it, indexing them once, and handing them out by number.

A packet is numbered by its place in the file, which is decode order. Seeking is an optimization here:
each packet read is compared with the index, and where a file doesn't seek to where it says, it is read
on from its start instead. Knows packets and timestamps, not pictures.
"""

from __future__ import annotations

import contextlib
import itertools
from array import array
from collections.abc import Iterator
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

__all__ = ["MAX_PIXELS", "NO_PTS", "PacketIndex", "PacketReader", "SeekError", "open_video"]

MAX_PIXELS = 8192 * 8192
"""Pictures above this are refused: one as RGB would take 200 MB."""

_LIMITS = {"max_pixels": str(MAX_PIXELS)}

_MAX_PACKETS = 20_000_000
"""Four days at 60 frames a second; only a forged index lists more."""

_SKIM = 256
"""Packets that are rather read over than sought past: reading one costs microseconds, a seek up to a
millisecond."""

NO_PTS = -(1 << 63)
"""Stands in `PacketIndex.pts` where a packet has no timestamp."""

_PLAYLISTS = frozenset({"concat", "dash", "hls", "imf", "webm_dash_manifest"})


class SeekError(Exception):
    """A file that, after a seek, gives other packets than before."""


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a file and choose its video stream; nothing is decoded for the caller yet.

    Raises:
        VideoError: a file that is missing, empty, not a video, without a video stream, or in a codec
            that can't be decoded; the message says which.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise VideoError(f"{path}: is {'a folder' if path.is_dir() else 'a device'}, not a video file")
        if size == 0:
            raise VideoError(f"{path}: is empty (0 bytes)")
        container = av.open(
            f"file:{path}",  # the prefix keeps a colon in a name from being read as a protocol
            # A playlist must not fetch from the network, a forged header not ask for gigabytes, and a
            # title in Latin-1 not make a file unreadable.
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
        raise VideoError(f"{path}: is in a video codec that this FFmpeg can't decode")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise VideoError(f"{path}: a picture of {width}x{height} is too large: at most {MAX_PIXELS} pixels")
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    # The count of threads is per reader, and many readers run at a time. FRAME threading delays output,
    # and hangs for ever beside PyAV's logging.
    stream.thread_type = "SLICE"
    stream.codec_context.options = _LIMITS
    return stream


@dataclass(frozen=True)
class PacketIndex:
    """What a pass over a stream's packets tells before anything is decoded; N packets, K of them keys."""

    pts: NDArray[np.int64]
    """[N] presentation timestamps in the stream's time base, `NO_PTS` where there is none."""
    shown: NDArray[np.bool_]
    """[N] whether the packet's frame is to be shown; an edit list may ask for it to be decoded only."""
    keys: NDArray[np.int64]
    """[K] packet numbers, ascending."""
    key_dts: NDArray[np.int64]
    """[K] decoding timestamps of the keys, or their `pts` where there is none."""
    last_duration: int
    """Of the packet that is shown last, in the time base; 0 if unknown."""
    constant: bool
    """Whether the decoder's parameters never change, so that packets may be left out."""

    def start_of(self, packet: int) -> int:
        """Find the packet at which decoding must start for the frame of `packet` to come out right.

        That is the last key that neither stands after it in the file nor is shown after it: a frame that
        follows a key in the file but precedes it on the screen may refer to frames before that key (an
        open group of pictures). Without such a key, and for the first one, it is packet 0, because what
        stands before the first key is decoded with it when everything is decoded.
        """
        place = int(np.searchsorted(self.keys, packet, side="right")) - 1
        while place > 0 and self.pts[self.keys[place]] > self.pts[packet]:
            place -= 1
        return int(self.keys[place]) if place > 0 else 0


def _scan(packets: Iterator[Packet[VideoStream]]) -> PacketIndex:
    pts, keys, key_dts, shown = array("q"), array("q"), array("q"), bytearray()
    latest, last_duration, constant = NO_PTS, 0, True
    # A file that is cut short ends in an error; the packets before it count.
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
    """A file's video packets by number, and the decoder they are for.

    `index` is made by one pass over the file when it is opened, unless there is one of an earlier pass.
    Memory doesn't grow with what is read.

    Raises:
        VideoError: as `open_video`, and a video stream without a single packet.
    """

    def __init__(self, path: Path, index: PacketIndex | None = None) -> None:
        self.path = path
        self._container, self.stream = open_video(path)
        self.index = index or _scan(_demux(self._container, self.stream))
        if not len(self.index.pts):
            self.close()
            raise VideoError(f"{path}: its video stream is empty, or cut off before the first frame")
        self.position = len(self.index.pts)
        """Number of the packet that `read` gives next."""
        self._packets: Iterator[Packet[VideoStream]] = iter(())
        self._sought = False
        self._seeks_by_dts = False
        key_pts = self.index.pts[self.index.keys]
        self._key_numbers = dict(zip(key_pts.tolist(), self.index.keys.tolist(), strict=True))
        self._seekable = len(self._key_numbers) == len(key_pts) and NO_PTS not in self._key_numbers

    @property
    def format_name(self) -> str:
        """The container's name in FFmpeg; several with commas between where FFmpeg has one reader."""
        return self._container.format.name

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def read(self) -> Packet[VideoStream] | None:
        """Give the next packet, or None at the end of the file.

        Raises:
            SeekError: after a seek, another packet than the index has under this number; `jump` again.
        """
        if self.position == len(self.index.pts):
            return None
        packet = None
        with contextlib.suppress(av.FFmpegError):  # damage that was not there before
            packet = next(self._packets, None)
        if self._sought and (packet is None or _pts(packet) != self.index.pts[self.position]):
            self._seekable = False
            self.position = len(self.index.pts)
            raise SeekError
        self.position = len(self.index.pts) if packet is None else self.position + 1
        return packet

    def jump(self, number: int) -> None:
        """Go on reading at packet `number`, 0 or a key, with the decoder emptied.

        Raises:
            SeekError: as `read`.
        """
        self.stream.codec_context.flush_buffers()
        if not 0 <= number - self.position <= _SKIM and not self._seek(number):
            self.rewind()
        while self.position < number:
            self.read()

    def rewind(self) -> None:
        """Open the file anew and go on reading at packet 0, without relying on a seek."""
        self._container.close()
        self._container, self.stream = open_video(self.path)
        self._packets, self._sought = _demux(self._container, self.stream), False
        self.position = 0

    def _seek(self, number: int) -> bool:
        """Land on key packet `number` or a key before it, and tell whether that worked."""
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
        """Seek, and tell the number of the first key packet that is read then."""
        try:
            self._container.seek(timestamp, stream=self.stream)
            packets = _demux(self._container, self.stream)
            key = next(packet for packet in packets if packet.is_keyframe)
        except (av.FFmpegError, StopIteration):
            return None
        self._packets, self._sought = itertools.chain([key], packets), True
        self.position = self._key_numbers.get(_pts(key), len(self.index.pts))
        return self.position


def _demux(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    for packet in container.demux(stream):
        if packet.size == 0 and packet.dts is None and packet.pts is None:
            return  # PyAV ends with an empty packet, to flush the decoder with
        yield packet


def _pts(packet: Packet[VideoStream]) -> int:
    return NO_PTS if packet.pts is None else packet.pts
