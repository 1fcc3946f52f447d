"""Tells what an uploaded file is from its first bytes; its name and its declared type are not trusted.

Nothing is parsed here, because this runs on the event loop.
"""

from __future__ import annotations

from typing import BinaryIO

from fastapi import HTTPException

__all__ = ["kind_of"]

_HEAD = 16
_PICTURES = (
    (0, b"\xff\xd8\xff"),  # JPEG
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (8, b"WEBP"),
    (0, b"BM"),
    (0, b"II*\x00"),  # TIFF
    (0, b"MM\x00*"),
    (4, b"ftypavif"),
    (4, b"ftypavis"),
)
# Containers that hold their own pictures. FFmpeg also reads playlists, which name other files and addresses
# to open: an upload of that kind must never reach it.
_VIDEOS = (
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
    """Return a suffix for the file: `.jpg` for any picture, `.mp4` for any video. Rewinds the file.

    Raises:
        HTTPException: it is neither (415), or empty (422).
    """
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    if not head:
        raise HTTPException(422, "the file is empty: choose a picture or video")
    for suffix, marks in ((".jpg", _PICTURES), (".mp4", _VIDEOS)):
        if any(head[at : at + len(mark)] == mark for at, mark in marks):
            return suffix
    raise HTTPException(
        415, "this file isn't a picture or video that can be read: try JPEG, PNG, MP4 or WebM"
    )
