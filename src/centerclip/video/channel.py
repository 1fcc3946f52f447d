"""Messages between this process and a worker: JSON and bytes over a socket, because what a worker sends must
not run here."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from threading import Lock
from typing import Any, TypeAlias

__all__ = ["SECRET_BYTES", "Channel", "ClosedError", "Message"]

Message: TypeAlias = dict[str, Any]

_HEADER = struct.Struct(">II")
"""The number of bytes of JSON, and of the bytes that follow it."""
_MAX_BYTES = 1 << 30
"""More is refused: the packets of four days take 400 MB."""


SECRET_BYTES = 32
"""What a worker that connects must send first."""


class ClosedError(Exception):
    """The other side has gone."""


class Channel:
    """One end of a connection; any thread may send, one may receive."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = Lock()

    def send(self, message: Message, data: bytes = b"", files: Sequence[int] = ()) -> None:
        """Send a message with bytes and open files (their descriptors).

        Raises:
            ClosedError: the other side has gone.
        """
        text = json.dumps(message).encode()
        header = _HEADER.pack(len(text), len(data))
        try:
            with self._sending:
                if files:
                    socket.send_fds(self._end, [header], files)
                else:
                    self._end.sendall(header)
                self._end.sendall(text)
                self._end.sendall(data)
        except OSError as error:
            raise ClosedError from error

    def receive(self, seconds: float | None = None) -> tuple[Message, bytes, list[int]]:
        """Wait for a message.

        Args:
            seconds: how long to wait for its next bytes; None waits forever.

        Raises:
            ClosedError: the other side has gone, or sent nonsense.
            TimeoutError: nothing came.
        """
        files: list[int] = []
        try:
            self._end.settimeout(seconds)
            if hasattr(socket, "recv_fds"):
                start, files, _, _ = socket.recv_fds(self._end, _HEADER.size, 1)
            else:  # Windows
                start = self._end.recv(_HEADER.size)
            if not start:
                raise ClosedError
            header = bytes(start) + self._read(_HEADER.size - len(start))
            lengths = _HEADER.unpack(header)
            if sum(lengths) > _MAX_BYTES:
                raise ClosedError
            message, data = json.loads(self._read(lengths[0])), self._read(lengths[1])
            if not isinstance(message, dict):
                raise ClosedError
            return message, data, files
        except TimeoutError:
            raise
        except (OSError, ValueError, ClosedError) as error:
            for file in files:
                os.close(file)
            raise ClosedError from error

    def close(self) -> None:
        self._end.close()

    def _read(self, count: int) -> bytes:
        parts = []
        while count:
            part = self._end.recv(min(count, 1 << 20))
            if not part:
                raise ClosedError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)
