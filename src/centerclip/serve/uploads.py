"""What an uploaded file is, by its own bytes: neither its name nor what a browser says of it is believed."""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image

from centerclip.serve.problems import Problem

__all__ = ["kind_of"]

_HEAD = 16
# Containers that hold their own pictures. FFmpeg also reads play lists, which name other files and addresses
# for it to open: such a file must never reach it from a visitor.
_CLIPS = (
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (0, b"OggS"),
    (0, b"FLV\x01"),
    (0, b"0&\xb2u"),  # ASF, WMV
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3"),  # MPEG video
    (8, b"AVI "),
    (4, b"ftyp"),  # MP4, QuickTime
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (0, b"G@"),  # MPEG transport stream
)


def kind_of(file: BinaryIO) -> str:
    """The ending that fits a file: `.jpg` for any picture, `.mp4` for any clip; it is rewound.

    Raises:
        Problem: it is neither (415), or empty (422).
    """
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    if not head:
        raise Problem(422, "the file is empty: choose a picture or clip")
    try:
        with Image.open(file):
            return ".jpg"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        pass  # whatever Pillow has against it: it is no picture that can be searched by
    finally:
        file.seek(0)
    if any(head[at : at + len(mark)] == mark for at, mark in _CLIPS):
        return ".mp4"
    raise Problem(415, "this is neither a picture nor a clip that can be read: try JPEG, PNG, MP4 or WebM")
