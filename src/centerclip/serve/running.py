"""Runs the application under uvicorn: a socket that listens, and a server that uses it."""

from __future__ import annotations

import logging
import signal
import socket
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from centerclip.errors import ConfigError
from centerclip.serve.connections import Connections, SparseWarnings, connection_limit, protocol_for
from centerclip.serve.settings import ServerSettings

__all__ = ["address_of", "listen", "log_requests", "make_server", "other_address_of"]

_ALL = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}  # nosec B104
"""Hosts that mean every address of this machine, and for each an address beyond it, reserved for examples."""
_GRACE_SECONDS = 10
"""How long requests in progress may take when the server is asked to stop."""
_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 65
"""Longer than clients usually pause: closing just as they send the next request is an error for them."""


def listen(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens where the settings say; connections wait until a server runs.

    Raises:
        ConfigError: it can't.
    """
    address = (settings.host, settings.port)
    try:
        if ":" not in settings.host:
            return socket.create_server(address, backlog=_BACKLOG)
        both = socket.has_dualstack_ipv6()
        return socket.create_server(address, family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # Python adds the address
        raise ConfigError(
            f"can't listen on {settings.host}:{settings.port} ({reason}): choose another --port or --host"
        ) from error


def address_of(settings: ServerSettings, listening: socket.socket) -> str:
    """The address of a server to open in a browser on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # nosec B104
    return _address(host, listening)


def other_address_of(settings: ServerSettings, listening: socket.socket) -> str:
    """The address for other machines if the server listens on all addresses; empty if none is known."""
    if settings.host not in _ALL:
        return ""
    family, beyond = _ALL[settings.host]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((beyond, 9))  # sends nothing: it only chooses the address to send from
        except OSError:
            return ""  # there is no network
        return _address(probe.getsockname()[0], listening)


def _address(host: str, listening: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"


def make_server(app: FastAPI) -> uvicorn.Server:
    """Return a server for an application; its `run([socket])` serves until Ctrl-C or SIGTERM."""
    # Its lines would contain tokens and queries; the application logs its own requests.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, SparseWarnings) for known in logger.filters):
            logger.addFilter(SparseWarnings())
    settings: ServerSettings = app.state.services.settings
    limit = settings.max_connections or connection_limit()
    config = uvicorn.Config(
        app,
        http=protocol_for(Connections(limit, settings.head_seconds, settings.stall_seconds)),
        backlog=1,  # accepted per turn of the loop, so that each is counted before the next
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        lifespan="on",
    )
    server = _Server(config, settings.drain_seconds)
    app.state.services.is_stopping = lambda: server.should_exit
    app.state.services.is_draining = lambda: server.is_draining
    return server


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, drain_seconds: float) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._drains_until: float | None = None

    @property
    def is_draining(self) -> bool:
        return self._drains_until is not None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain if the system asks for the first time; otherwise stop."""
        if sig != signal.SIGTERM or not self._drain_seconds or self.is_draining or self.should_exit:
            super().handle_exit(sig, frame)
            return
        self._captured_signals.append(sig)
        self._drains_until = time.monotonic() + self._drain_seconds

    async def on_tick(self, counter: int) -> bool:
        if self._drains_until is not None and time.monotonic() >= self._drains_until:
            self.should_exit = True
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(_BACKLOG)  # the kernel's queue, which asyncio cut to what it accepts per turn


def log_requests() -> None:
    """Log each request to stderr: method, path, status and time, but no query and no token."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("centerclip.serve")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
