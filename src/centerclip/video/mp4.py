"""Reads from an MP4 or QuickTime file's own index what FFmpeg keeps to itself: when each frame is shown.

FFmpeg tells when packets are decoded, and for each packet that it reads, when its frame is shown. The
difference is stored in the box `ctts` (ISO/IEC 14496-12, 8.6.1.3). Files that need more care, such as those
with fragments or several edits, are left to a full read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_composition_offsets"]

_Span: TypeAlias = "tuple[int, int]"
"""Where the content of a box begins and ends, in bytes."""

_MAX_BOXES = 10_000
"""On one level; only fragmented and forged files have more."""
_MAX_OFFSET = 1 << 28
"""FFmpeg ignores the whole box if an offset is larger."""


def read_composition_offsets(path: Path, track: int, samples: int) -> NDArray[np.int64] | None:
    """Read by how much later than it is decoded each frame of a track is shown.

    Args:
        path: an MP4 or QuickTime file.
        track: the track's number in the file.
        samples: N, how many packets the track must have.

    Returns:
        [N] in the track's time base, up to a constant; None if the file doesn't say it in this simple way.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            moov = _boxes(file, (0, size), {b"moov", b"moof"})
            if len(moov.get(b"moof", ())) or len(moov.get(b"moov", ())) != 1:
                return None
            inside = _boxes(file, moov[b"moov"][0], {b"trak", b"mvex"})
            tracks = [span for span in inside.get(b"trak", ()) if _track_number(file, span) == track]
            if b"mvex" in inside or len(tracks) != 1 or _edits(file, tracks[0]) > 1:
                return None
            table = _down(file, tracks[0], b"mdia", b"minf", b"stbl")
            return None if table is None else _offsets(file, table, samples)
    except (OSError, struct.error, ValueError, IndexError):  # cut off or forged
        return None


def _offsets(file: BinaryIO, table: _Span, samples: int) -> NDArray[np.int64] | None:
    boxes = _boxes(file, table, {b"stsd", b"ctts"})
    kinds, offsets = boxes.get(b"stsd", ()), boxes.get(b"ctts", ())
    # With several descriptions of samples, the decoder's parameters change within the file.
    if len(kinds) != 1 or len(offsets) > 1 or _count(file, kinds[0]) != 1:
        return None
    if not offsets:
        return np.zeros(samples, np.int64)
    (start, end), count = offsets[0], _count(file, offsets[0])
    if count > samples or 8 * count > end - start - 8:
        return None
    runs = np.frombuffer(file.read(8 * count), ">i4").reshape(-1, 2).astype(np.int64)
    repeats, values = runs[:, 0] & 0xFFFFFFFF, runs[:, 1]
    if repeats.sum() != samples or np.abs(values).max(initial=0) > _MAX_OFFSET:
        return None
    return np.repeat(values, repeats)


def _track_number(file: BinaryIO, track: _Span) -> int:
    header = _down(file, track, b"tkhd")
    if header is None:
        return -1
    file.seek(header[0])
    # A version, flags, and two times of four or eight bytes come first.
    version = file.read(4)[0]
    file.seek(16 if version == 1 else 8, 1)
    return int(struct.unpack(">I", file.read(4))[0])


def _edits(file: BinaryIO, track: _Span) -> int:
    """Return how many stretches of the track are shown, in which order whatever."""
    edits = _down(file, track, b"edts", b"elst")
    if edits is None:
        return 0
    count = _count(file, edits)
    if count > _MAX_BOXES:
        return count
    file.seek(edits[0])
    entry = ">Qqi" if file.read(4)[0] == 1 else ">Iii"
    file.seek(4, 1)
    times = [struct.unpack(entry, file.read(struct.calcsize(entry)))[1] for _ in range(count)]
    return sum(time != -1 for time in times)  # -1 is a pause before the track begins


def _count(file: BinaryIO, box: _Span) -> int:
    """Return the number of entries of a box, and leave the file at the first."""
    file.seek(box[0] + 4)  # a version and flags come first
    return int(struct.unpack(">I", file.read(4))[0])


def _down(file: BinaryIO, box: _Span, *kinds: bytes) -> _Span | None:
    """Return the first box inside of a box inside of a box."""
    for kind in kinds:
        found = _boxes(file, box, {kind}).get(kind)
        if not found:
            return None
        box = found[0]
    return box


def _boxes(file: BinaryIO, inside: _Span, kinds: set[bytes]) -> dict[bytes, list[_Span]]:
    """Return the boxes of some kinds directly inside of another."""
    found: dict[bytes, list[_Span]] = {}
    for kind, span in _walk(file, inside):
        if kind in kinds:
            found.setdefault(kind, []).append(span)
    return found


def _walk(file: BinaryIO, inside: _Span) -> Iterator[tuple[bytes, _Span]]:
    place, end = inside
    for _ in range(_MAX_BOXES):
        if place + 8 > end:
            return
        file.seek(place)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            header, (size,) = 16, struct.unpack(">Q", file.read(8))
        size = size or end - place  # 0: up to the end
        if size < header or place + size > end:
            raise ValueError("a box is longer than the one around it")
        yield kind, (place + header, place + size)
        place += size
    raise ValueError("too many boxes")
