"""Sends a video at an address to a browser, a range at a time, without keeping it on the disk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from functools import partial

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from centerclip.errors import IndexStoreError
from centerclip.remote import Address, Blocks
from centerclip.remote.access import current
from centerclip.serve.workers import Workers

__all__ = ["send_object"]

_PIECE_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


async def send_object(
    address: Address, request: Request, reading: Workers, *, media_type: str, headers: Mapping[str, str]
) -> Response:
    """Answer a request for a file as `FileResponse` does, but with one range at most.

    Args:
        address: of a file in the index, just looked at; nothing else may be sent.
        request: of the browser, which may ask for a range.
        reading: reads from the store.
        media_type, headers: of the answer.

    Raises:
        HTTPException: the file has no such range (416).
        IndexStoreError: it can't be read.
    """
    blocks = await reading.run(partial(current().blocks, address))
    size = blocks.size_bytes
    tag = f'"{address.status().version}-{size}"'
    span = None
    if request.headers.get("if-range", tag) == tag:
        span = _asked(request.headers.get("range", ""), size)
    start, end = span or (0, size)
    told = {**headers, "Accept-Ranges": "bytes", "ETag": tag, "Content-Length": str(end - start)}
    if span:
        told["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    status = 206 if span else 200
    if request.method == "HEAD":
        return Response(None, status, told, media_type)
    first = await reading.run(partial(_read, blocks, address, start, end))

    async def content() -> AsyncIterator[bytes]:
        place, piece = start, first
        while piece:
            yield piece
            place += len(piece)
            piece = await reading.run(partial(_read, blocks, address, place, end), admitted=True)

    return StreamingResponse(content(), status, told, media_type)


def _read(blocks: Blocks, address: Address, start: int, end: int) -> bytes:
    try:
        return blocks.read(start, min(_PIECE_BYTES, end - start))
    except OSError as error:
        raise IndexStoreError(f"{address.name} can't be read at the moment: {error.strerror}") from error


def _asked(header: str, size: int) -> tuple[int, int] | None:
    """Return the range that is asked for; None for the whole file, also if several are."""
    match = _RANGE.fullmatch(header.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start, end = int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)
    else:
        start, end = max(0, size - int(match[2])), size
    if start >= end:
        raise HTTPException(416, "the file has no such range", {"Content-Range": f"bytes */{size}"})
    return start, end
