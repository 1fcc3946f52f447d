"""Open a file, index its video packets once, and read them by number.

A packet's number is its position in the file, that is, in decode order. Every packet that is read is checked
against the index; if seeking lands elsewhere, the file is read from the start instead. Where the container
has an index of its own, it replaces reading all packets, until one contradicts it. Knows packets and
timestamps, not pictures.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from centerclip.errors import VideoError
from centerclip.records import Recorded
from centerclip.remote import is_address
from centerclip.video.files import refuse_lists
from centerclip.video.hardware import accelerator
from centerclip.video.packet_index import NO_PTS, PacketIndex, pts_of, scan
from centerclip.video.recorded import recorded_of
from centerclip.video.stored_index import has_stored_index, read_stored_index

__all__ = [
    "MAX_PIXELS",
    "ContainerIndexError",
    "PacketReader",
    "SeekError",
    "demux",
    "open_video",
    "stated_rate",
]

MAX_PIXELS = 8192 * 8192
"""Larger pictures are refused: as RGB this one takes 200 MB."""

_LIMITS = {"max_pixels": str(MAX_PIXELS)}

_SKIM = 256
"""Up to this distance packets are read rather than skipped by a seek: microseconds per packet against up to a
millisecond."""
_SKIM_INDEXED = 8
"""The same if the container has an index: a seek takes as long as reading eight packets of average size."""

_PLAYLISTS = frozenset({"concat", "dash", "hls", "imf", "webm_dash_manifest"})


class SeekError(Exception):
    """After a seek, the file returned other packets than before."""


class ContainerIndexError(Exception):
    """A packet contradicts the container's own index; `PacketReader.scan` reads all packets instead."""


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a file and choose its video stream, without decoding.

    Raises:
        VideoError: the file is missing, empty, not a video, has no video stream, or uses a codec that can't
            be decoded; the message says which.
    """
    try:
        size = path.stat().st_size
        if not (is_address(path) or path.is_file()):
            raise VideoError(f"{path}: is {'a folder' if path.is_dir() else 'a device'}, not a video file")
        if size == 0:
            raise VideoError(f"{path}: is empty (0 bytes)")
        refuse_lists(path)
        # Without the prefix, a colon in the name would end a protocol.
        source: Any = path.open("rb") if is_address(path) else f"file:{path}"
        container = av.open(
            source,
            # Playlists can't fetch from the network, forged headers can't claim gigabytes, and titles in
            # Latin-1 don't make a file unreadable.
            container_options={"protocol_whitelist": "file"},
            options=_LIMITS,
            metadata_errors="replace",
            hwaccel=accelerator(),
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


class PacketReader:
    """A file's video packets by number, and their decoder; memory doesn't grow while reading.

    Opening reads the container's index, or if it has none, all packets.

    Args:
        path: the file.
        index: of another reader of the file.
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
        try:
            self._use(index or self._stored_or_scanned())
        except BaseException:
            self.close()
            raise

    def scan(self) -> None:
        """Read all packets, because the container's index is wrong."""
        self._open()
        self._use(self._scanned())

    def _open(self) -> None:
        self._container.close()
        self._container, self.stream = open_video(self.path)

    def _stored_or_scanned(self) -> PacketIndex:
        if not has_stored_index(self._container):
            return self._scanned()
        with contextlib.suppress(av.FFmpegError):
            index = read_stored_index(self.path, self._container, self.stream, self._demux)
            if index is not None:
                return index
        self._open()
        return self._scanned()

    def _scanned(self) -> PacketIndex:
        index = scan(self._demux())
        if not len(index.pts):
            raise VideoError(f"{self.path}: its video stream is empty, or cut off before the first frame")
        return index

    def _use(self, index: PacketIndex) -> None:
        self.index = index
        self.position = len(index.pts)
        """Number of the packet that `read` returns next."""
        self._packets: Iterator[Packet[VideoStream]] = iter(())
        self._sought = False
        self._seeks_by_dts = False
        self._is_key = np.zeros(len(index.pts), np.bool_)
        self._is_key[index.keys] = True
        key_pts = index.pts[index.keys]
        self._key_numbers = dict(zip(key_pts.tolist(), index.keys.tolist(), strict=True))
        self._seekable = len(self._key_numbers) == len(key_pts) and NO_PTS not in self._key_numbers
        self._skim = _SKIM if index.confirmed else min(_SKIM, _SKIM_INDEXED)

    @property
    def timed_by_order(self) -> bool:
        """Whether FFmpeg derived the timestamps from packet order although the frames are reordered.

        AVI has no timestamps. With B-frames, which aren't stored in display order, correct timestamps end up
        on the wrong frames.
        """
        reorders = bool(self.stream.codec_context.has_b_frames)
        ascending = bool((np.diff(self.index.pts[self.index.shown]) > 0).all())
        return self._container.format.name == "avi" and reorders and ascending

    @property
    def recorded(self) -> Recorded | None:
        """When the file was recorded; None if it doesn't say."""
        return recorded_of(self._container, self.stream)

    def close(self) -> None:
        self._container.close()

    def read(self) -> Packet[VideoStream] | None:
        """Return the next packet, or None at the end of the file.

        Raises:
            SeekError: after a seek, the packet differs from the index; `jump` again.
            ContainerIndexError: the packet contradicts the container's index; `scan`.
        """
        if self.position == len(self.index.pts):
            return None
        packet = None
        with contextlib.suppress(av.FFmpegError):  # damage that the scan did not meet
            packet = next(self._packets, None)
        if not self.index.confirmed and not self._is_listed(packet):
            raise ContainerIndexError
        if self._sought and (packet is None or pts_of(packet) != self.index.pts[self.position]):
            self._seekable = False
            self.position = len(self.index.pts)
            raise SeekError
        self.position = len(self.index.pts) if packet is None else self.position + 1
        return packet

    def _is_listed(self, packet: Packet[VideoStream] | None) -> bool:
        listed = int(self.index.pts[self.position]), bool(self._is_key[self.position])
        return packet is not None and (pts_of(packet), packet.is_keyframe) == listed

    def jump(self, number: int) -> None:
        """Continue reading at packet `number`, 0 or a key, with a flushed decoder; raises as `read` does."""
        self.stream.codec_context.flush_buffers()
        if not 0 <= number - self.position <= self._skim and not self._seek(number):
            self.rewind()
        while self.position < number:
            self.read()

    def rewind(self) -> None:
        """Open the file again and continue reading at packet 0, of a whole file without a seek."""
        self._open()
        if self.index.origin is not None:
            if self._land(int(self.index.pts[0])) != 0:
                raise ContainerIndexError
            return
        self._packets, self._sought = self._demux(), False
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
            packets = self._demux()
            key = next(packet for packet in packets if packet.is_keyframe)
        except (av.FFmpegError, StopIteration):
            return None
        self._packets, self._sought = itertools.chain([key], packets), True
        self.position = self._key_numbers.get(pts_of(key), len(self.index.pts))
        return self.position

    def _demux(self) -> Iterator[Packet[VideoStream]]:
        return demux(self._container, self.stream, self._tick)


def demux(
    container: InputContainer, stream: VideoStream, tick: Callable[[], None]
) -> Iterator[Packet[VideoStream]]:
    """Read a stream's packets from where the container is."""
    # Not a method, which would keep its object alive.
    for packet in container.demux(stream):
        if packet.size == 0 and packet.dts is None and packet.pts is None:
            return  # PyAV ends with an empty packet that flushes the decoder
        tick()
        yield packet


def stated_rate(stream: VideoStream) -> float:
    """Frames per second according to the file, or 25 if that is implausible."""
    stated = (float(rate or 0) for rate in (stream.average_rate, stream.guessed_rate))
    return next((rate for rate in stated if 1 <= rate <= 1000), 25.0)
