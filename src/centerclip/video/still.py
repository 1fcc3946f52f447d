"""Open a picture file in this process; see `centerclip.video.read_still`."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from centerclip.errors import VideoError
from centerclip.video.packets import MAX_PIXELS
from centerclip.video.pictures import Place

__all__ = ["open_still"]

_FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow reads more, some of them by other programs."""

_MAX_SEGMENTS = 2000
"""Of a JPEG file before its picture; color profiles have up to 255. Pillow takes a microsecond for each, and
32 MB have room for 8 million."""
_BARE = frozenset(bytes([code]) for code in (0x00, 0x01, *range(0xD0, 0xDA)))
"""JPEG markers without content."""
_MAX_SCANS = 100
"""Of a progressive JPEG file, each of which is decoded over the whole picture; encoders write about ten."""

# What Pillow raises on damaged files, apart from its own classes, which are OSErrors.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error)

# Once for the process, because changing filters isn't safe with threads.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def open_still(path: Path, edge: int, place: Place) -> None:
    """Write a picture, upright, into the array that `place` returns for its size.

    Args:
        path: the file.
        edge: a picture is reduced while it is read if its sides keep this length.
        place: returns the array for a picture of a given size.

    Raises:
        VideoError: it can't be read, has more than `MAX_PIXELS`, or would take minutes to decode.
    """
    try:
        with path.open("rb") as file:
            _check_jpeg(path, file)
            with Image.open(file, formats=_formats()) as picture:
                upright = _upright(path, picture, edge)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path) from error
    except _DAMAGED as error:
        reason = getattr(error, "strerror", None) or "not a picture, or damaged"
        raise VideoError(f"{path}: can't be opened as a picture ({reason})") from error
    np.copyto(place(upright.height, upright.width), np.asarray(upright))


def _upright(path: Path, picture: Image.Image, edge: int) -> Image.Image:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise _too_large(path)
    picture.draft("RGB", (edge, edge))  # JPEG files are decoded at a half, a quarter or an eighth of the size
    factor = 1 << max(0, (min(picture.size) // edge).bit_length() - 1)  # others too
    small = picture.reduce(factor) if factor > 1 and picture.mode in ("L", "RGB", "RGBA", "CMYK") else picture
    return ImageOps.exif_transpose(small).convert("RGB")


def _too_large(path: Path) -> VideoError:
    return VideoError(f"{path}: has more than {MAX_PIXELS:,} pixels; make it smaller")


def _formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _check_jpeg(path: Path, file: BinaryIO) -> None:
    """Refuse JPEG files of more segments or scans than any encoder writes; rewind the file."""
    if file.read(2) == b"\xff\xd8":
        for _ in range(_MAX_SEGMENTS):
            if not _skip_segment(file):
                break
        else:
            raise VideoError(f"{path}: has more than {_MAX_SEGMENTS} segments; save it again")
        scans = sum(part.count(b"\xff\xda") for part in iter(lambda: file.read(1 << 20), b""))
        if scans > _MAX_SCANS:
            raise VideoError(f"{path}: has {scans} scans, more than {_MAX_SCANS}; save it again")
    file.seek(0)


def _skip_segment(file: BinaryIO) -> bool:
    """Skip what Pillow reads in one step: a segment, a marker without content, or a byte between them.

    Returns:
        Whether the picture is still to come.
    """
    code = file.read(1)
    if code == b"\xff":
        code = file.read(1)
        if code == b"\xff":
            file.seek(-1, 1)
        elif code not in _BARE and code != b"\xda":
            file.seek(max(0, int.from_bytes(file.read(2)) - 2), 1)
    return code not in (b"", b"\xda")
