"""Runs the application under uvicorn until it is asked to stop."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from centerclip.errors import ConfigError
from centerclip.serve.settings import ServerSettings

__all__ = ["listen", "log_requests", "make_server", "run"]

_GRACE_SECONDS = 10
"""How long requests in progress may take when the server is asked to stop."""
_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 65
"""Longer than clients pause: a connection that closes just as they ask again is an error to them."""


def run(app: FastAPI, settings: ServerSettings, on_ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, then finish the requests in progress.

    Args:
        app: made by `create_app` with these settings.
        settings: host and port.
        on_ready: called with the address once it accepts connections.

    Raises:
        ConfigError: the address can't be listened on.
    """
    with listen(settings) as listening:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        on_ready(f"http://{host}:{listening.getsockname()[1]}")
        make_server(app).run([listening])


def listen(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens where the settings say.

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
        raise ConfigError(
            f"can't listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Choose another --port or --host"
        ) from error


def make_server(app: FastAPI) -> uvicorn.Server:
    """Return a uvicorn server for an application, to be run with the socket of `listen`."""
    # Its lines would contain tokens and queries; the application logs its own requests.
    logging.getLogger("uvicorn.access").disabled = True
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    app.state.services.is_stopping = lambda: server.should_exit
    return server


def log_requests() -> None:
    """Log each request to stderr: method, path, status and time, but no query and no token."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("centerclip.serve")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
