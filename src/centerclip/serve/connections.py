"""The connections of a server: how many there may be, and how long each may make it wait.

uvicorn limits neither the time that a request's head takes, nor the connections that haven't sent one, nor
the time that a client doesn't read its answer. A few hundred half requests would take all file handles.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from centerclip.serve.errors import error_response
from centerclip.serve.security import HEADERS

__all__ = ["Connections", "SparseWarnings", "StallWatch", "connection_limit", "protocol_for"]

_MOST, _FEWEST = 1000, 8
_OTHER_HANDLES = 96
"""File handles for the index, the model and the program."""


def connection_limit() -> int:
    """Return how many connections the process's file handles allow, each with a file to send."""
    try:
        import resource
    except ImportError:  # Windows
        return _MOST // 4
    handles, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if handles == resource.RLIM_INFINITY:
        return _MOST
    return max(_FEWEST, min(_MOST, (handles - _OTHER_HANDLES) // 2))


class Connections:
    """The connections of one server; used by its event loop only.

    Args:
        limit: maximum number of connections. A new one beyond it takes the place of one that waits for a
            request: the oldest that never had one, or else the oldest.
        head_seconds: time limit for a request's head, from the connection's start or its first byte.
        stall_seconds: how long a client may read nothing of its answer.
    """

    def __init__(self, limit: int, head_seconds: float, stall_seconds: float) -> None:
        self.limit = limit
        self.head_seconds = head_seconds
        self.stall_seconds = stall_seconds
        self.waiting: dict[_Protocol, None] = {}
        """Those without a request in progress, oldest first."""

    def make_room(self, taken: int) -> bool:
        """Drop a waiting connection if too many are `taken`; False if that is needed but none waits."""
        if taken <= self.limit:
            return True
        if not self.waiting:
            return False
        dropped = min(self.waiting, key=lambda connection: connection.cycle is not None)
        self.waiting.pop(dropped)
        dropped.transport.abort()
        return True


class StallWatch:
    """Ends a connection whose client reads nothing for some time while an answer waits to be sent.

    Args:
        transport: of the connection; must pause its protocol whenever something waits to be sent.
        loop: the event loop.
        seconds: how long the client may read nothing.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._clock: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch: the transport has paused its protocol."""
        waiting_bytes = self._transport.get_write_buffer_size()
        self._clock = self._loop.call_later(self._seconds, self._check, waiting_bytes)

    def stop(self) -> None:
        """Stop watching: everything was sent, or the connection has ended."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _check(self, before_bytes: int) -> None:
        if self._transport.get_write_buffer_size() < before_bytes:
            self.start()
        else:
            self._transport.abort()


class _Protocol(H11Protocol):
    """uvicorn's protocol with these limits."""

    room: Connections
    _deadline: asyncio.TimerHandle | None = None
    _stall: StallWatch

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._stall = StallWatch(transport, self.loop, self.room.stall_seconds)
        transport.set_write_buffer_limits(high=0)  # pause as soon as something waits to be sent
        # Dropped connections are among those of uvicorn until they are closed in the next turn of the loop.
        taken = sum(not connection.transport.is_closing() for connection in self.connections)
        if self.room.make_room(taken):
            self._watch()
        else:
            self._refuse(503, "the server has too many connections: try again in 2 seconds")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stall.stop()
        self._forget()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _watch(self) -> None:
        """Start or stop waiting for a request, depending on what just happened."""
        if (self.cycle is not None and not self.cycle.response_complete) or self.transport.is_closing():
            self._forget()
            return
        self.room.waiting.setdefault(self)
        is_idle = self.timeout_keep_alive_task is not None  # between requests, which uvicorn limits
        if is_idle:
            self._stop_clock()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.room.head_seconds, self._expire)

    def _expire(self) -> None:
        if not self.conn.trailing_data[0]:  # a browser that connected in advance expects no answer
            self.transport.close()
        self._refuse(408, f"the request's head took longer than {self.room.head_seconds:g} seconds")

    def _refuse(self, status: int, message: str) -> None:
        """Answer as the application would, if the connection's state allows an answer, and close it."""
        if self.transport.is_closing():
            return
        response = error_response(
            status, message, {**HEADERS, "Cache-Control": "no-store", "Connection": "close"}
        )
        events = [
            h11.Response(
                status_code=status, headers=response.raw_headers, reason=HTTPStatus(status).phrase.encode()
            ),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ]
        with suppress(h11.LocalProtocolError):  # in the middle of another answer
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _forget(self) -> None:
        self._stop_clock()
        self.room.waiting.pop(self, None)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def protocol_for(connections: Connections) -> type[H11Protocol]:
    """Return the protocol of a server with these connections."""

    class Protocol(_Protocol):
        room = connections

    return Protocol


class SparseWarnings(logging.Filter):
    """Lets a warning, or asyncio's report that there are no file handles, pass once in a while.

    Anybody who can connect causes them, and they would fill the disk.

    Args:
        seconds: how long warnings with the same first line are dropped.
    """

    def __init__(self, seconds: float = 10.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line = str(record.msg).partition("\n")[0]
        if record.levelno != logging.WARNING and not line.startswith("socket.accept()"):
            return True
        now = time.monotonic()
        if now - self._last.get(line, -self._seconds) < self._seconds:
            return False
        self._last[line] = now
        return True
