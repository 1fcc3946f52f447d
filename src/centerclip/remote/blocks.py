"""Reading ranges of an object through a few blocks kept in memory."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

__all__ = ["BLOCK_BYTES", "Blocks", "RangeFile"]

BLOCK_BYTES = 256 << 10
"""The least that is fetched. A window of 12 seconds takes a few of them."""
_AHEAD = 4
"""Blocks that are fetched at once where reading goes on and on, which saves requests."""
_KEPT = 64
"""Blocks in memory per object: 16 MiB."""


class Blocks:
    """An object's bytes, fetched where they are needed. Safe to use from many threads.

    Args:
        size_bytes: of the object.
        fetch: returns so many bytes from an offset on; raises `OSError`.
    """

    def __init__(self, size_bytes: int, fetch: Callable[[int, int], bytes]) -> None:
        self.size_bytes = size_bytes
        self._fetch = fetch
        self._lock = Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._next = -1
        """The block after those that were fetched last."""
        self._run = 1
        """How many blocks to fetch at once, if reading goes on there."""

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes of a range, as far as the object has them.

        Raises:
            OSError: they can't be fetched.
        """
        offset = max(0, offset)
        end = min(self.size_bytes, offset + max(0, length))
        if offset >= end:
            return b""
        with self._lock:
            first, last = offset // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
            pieces, number = [], first
            while number <= last:
                block = self._kept.get(number)
                if block is None:
                    self._load(number, last)
                    block = self._kept[number]
                self._kept.move_to_end(number)
                start = number * BLOCK_BYTES
                pieces.append(block[max(0, offset - start) : end - start])
                number += 1
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return b"".join(pieces)

    def _load(self, number: int, last: int) -> None:
        """Fetch the missing blocks from one on: those that are wanted, or more where reading goes on."""
        wanted = min(last - number + 1, _KEPT // 2)
        self._run = min(_AHEAD, 2 * self._run) if number == self._next else 1
        count = max(wanted, self._run)
        end = number + 1
        total = -(-self.size_bytes // BLOCK_BYTES)
        while end < min(number + count, total) and end not in self._kept:
            end += 1
        start = number * BLOCK_BYTES
        length = min(end * BLOCK_BYTES, self.size_bytes) - start
        data = self._fetch(start, length)
        if len(data) != length:
            raise OSError(5, "its end is missing")
        for at in range(number, end):
            place = at * BLOCK_BYTES - start
            self._kept[at] = data[place : place + BLOCK_BYTES]
        self._next = end


class RangeFile(io.RawIOBase):
    """A file over `Blocks`, for reading; `name` is what FFmpeg guesses a format from."""

    def __init__(self, blocks: Blocks, name: str) -> None:
        self._blocks = blocks
        self._place = 0
        self.name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._blocks.size_bytes}[whence]
        if start + offset < 0:
            raise ValueError("a place before the start")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._blocks.size_bytes - self._place)
        data = self._blocks.read(self._place, left if size is None or size < 0 else size)
        self._place += len(data)
        return data
