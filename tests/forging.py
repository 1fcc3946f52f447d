"""Makes files for the corpus: of any codec and shape, damaged, contradicting themselves, and forged."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from videos import make, make_video, picture

Make = Callable[[Path], object]
"""Makes a file at a path whose folder exists."""


def video(codec: str = "libx264", **options: Any) -> Make:
    """Write a small video; see `make_video`."""
    settings: dict[str, Any] = {"frames": 8, "codec": codec} | options
    return lambda path: make_video(path, **settings)


def known(name: str) -> Make:
    """Write one of the files of `videos`."""

    def write(path: Path) -> None:
        path.write_bytes(make(name, _sources(path)).read_bytes())

    return write


def _sources(path: Path) -> Path:
    """Return a hidden folder beside the files, for those that others are made from."""
    folder = path.parent / ".sources"
    folder.mkdir(exist_ok=True)
    return folder


def animation(path: Path, kind: str) -> None:
    first, *others = [Image.fromarray(picture(number)) for number in range(6)]
    first.save(path, kind, save_all=True, append_images=others, duration=100, loop=0)


# Timestamps and streams that contradict themselves


def packets(pts: Callable[[int], int | None], *, dts: Callable[[int], int | None] | None = None) -> Make:
    """Write Matroska packets of one picture each, in milliseconds as given; FFmpeg is not asked to agree."""

    def write(path: Path) -> None:
        codec: Any = av.CodecContext.create("mjpeg", "w")
        codec.width, codec.height, codec.pix_fmt, codec.time_base = 64, 48, "yuvj420p", Fraction(1, 1000)
        with av.open(path, "w", format="nut" if path.suffix == ".nut" else "matroska") as container:
            stream: Any = container.add_stream("mjpeg", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
            stream.time_base = Fraction(1, 1000)
            for number in range(20):
                frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(
                    format="yuvj420p"
                )
                frame.pts, frame.time_base = number, Fraction(1, 1000)
                for packet in codec.encode(frame):
                    packet.stream = stream
                    packet.time_base = Fraction(1, 1000)
                    packet.pts = pts(number)
                    packet.dts = (dts or pts)(number)
                    container.mux_one(packet)

    return write


def forged_times(change: Callable[[int], int]) -> Make:
    """Write a Matroska file in which picture `n` has the time `change(n)`, in milliseconds below 32,768."""

    def write(path: Path) -> None:
        make_video(path, frames=20, codec="mjpeg", pixel_format="yuvj420p", rate=1000)
        data, at = bytearray(path.read_bytes()), 0
        for number in range(20):
            # In a block: the track, the time, a flag, and the picture.
            at = data.index(b"\x80\xff\xd8\xff", at) + 1
            data[at - 3 : at - 1] = struct.pack(">h", change(number))
        path.write_bytes(data)

    return write


def joined(*parts: dict[str, Any]) -> Make:
    """Write transport streams one after the other, so that size or codec change in mid-stream."""

    def write(path: Path) -> None:
        data = b""
        for place, options in enumerate(parts):
            part = make_video(_sources(path) / f"{path.stem}-{place}.ts", frames=10, **options)
            data += part.read_bytes()
        path.write_bytes(data)

    return write


def streams(count: int) -> Make:
    """Write a Matroska file of many video streams, of which only the first has pictures."""

    def write(path: Path) -> None:
        with av.open(path, "w", format="matroska") as container:
            made: list[Any] = []
            for _ in range(count):
                stream: Any = container.add_stream("mjpeg", rate=10)
                stream.width, stream.height, stream.pix_fmt = 16, 16, "yuvj420p"
                made.append(stream)
            for number in range(4):
                frame = av.VideoFrame.from_ndarray(picture(number, (16, 16)), format="rgb24")
                container.mux(made[0].encode(frame))

    return write


# Damage


def cut(name: str, part: float) -> Make:
    def write(path: Path) -> None:
        data = make(name, _sources(path)).read_bytes()
        path.write_bytes(data[: int(len(data) * part)])

    return write


def flipped(name: str, seed: int, *, spots: int = 30) -> Make:
    """Overwrite bytes anywhere in a file, also in its header."""

    def write(path: Path) -> None:
        data = bytearray(make(name, _sources(path)).read_bytes())
        rng = np.random.default_rng(seed)
        for spot in rng.integers(0, len(data), spots):
            data[spot] ^= int(rng.integers(1, 256))
        path.write_bytes(data)

    return write


def content(data: bytes | str) -> Make:
    return lambda path: path.write_bytes(data.encode() if isinstance(data, str) else data)


def saved(kind: str, size: tuple[int, int] = (64, 48)) -> Make:
    """Save a still picture."""
    return lambda path: Image.fromarray(picture(3, size[::-1])).save(path, kind)


def box(kind: bytes, body: bytes) -> bytes:
    """Make a box of an MP4 file."""
    return struct.pack(">I", 8 + len(body)) + kind + body


def many_tracks(count: int) -> Make:
    """Write an MP4 file whose only track is listed many times; FFmpeg's writer refuses more than 1,000."""

    def write(path: Path) -> None:
        data = make("h264.mp4", _sources(path)).read_bytes()
        header = data.rindex(b"moov") - 4  # after the pictures, so that their places stay right
        (size,) = struct.unpack_from(">I", data, header)
        moov = data[header + 8 : header + size]
        track = moov.index(b"trak") - 4
        (track_size,) = struct.unpack_from(">I", moov, track)
        assert header + size == len(data)
        tracks = moov[track : track + track_size] * count
        path.write_bytes(data[:header] + box(b"moov", moov[:track] + tracks + moov[track + track_size :]))

    return write


def compressed_header(unpacked: int) -> Make:
    """Write a MOV whose header is compressed, and unpacks to so many bytes."""

    def write(path: Path) -> None:
        packer = zlib.compressobj(9)
        inner = struct.pack(">I", unpacked) + b"free"
        data = packer.compress(inner)
        block = bytes(1 << 20)
        for _ in range(unpacked >> 20):
            data += packer.compress(block)
        data += packer.flush()
        header = box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", unpacked) + data)
        path.write_bytes(box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", box(b"cmov", header)))

    return write


def many_scans(scans: int, size: tuple[int, int]) -> Make:
    """Write an AVI of one progressive JPEG picture whose last scan is repeated."""

    def write(path: Path) -> None:
        still = _sources(path) / "progressive.jpg"
        Image.new("L", size[::-1], 90).save(still, "JPEG", progressive=True, quality=30)
        data = still.read_bytes()
        last = data.rindex(b"\xff\xda")
        jpeg = data[:last] + data[last:-2] * scans + b"\xff\xd9"
        with av.open(path, "w") as container:
            stream: Any = container.add_stream("mjpeg", rate=1)
            stream.height, stream.width, stream.pix_fmt = *size, "yuvj420p"
            for number in range(2):
                packet = av.Packet(jpeg)
                packet.stream, packet.time_base = stream, Fraction(1, 1)
                packet.pts = packet.dts = number
                packet.is_keyframe = True
                container.mux_one(packet)

    return write


def tiny_packets(count: int) -> Make:
    def write(path: Path) -> None:
        make_video(
            path, frames=count, codec="rawvideo", pixel_format="gray", size=(1, 1), rate=1000, texture=False
        )

    return write


def make_socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the name of a socket has at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(before)


def playlist(target: str) -> Make:
    return content(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4,\n{target}\n#EXT-X-ENDLIST\n")


def nested_boxes(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = box(b"moov", body)
    return box(b"ftyp", b"isom\0\0\0\0") + body
