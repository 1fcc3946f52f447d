"""Runs the application under uvicorn, in one process or several, until it is asked to stop."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from centerclip.errors import ConfigError
from centerclip.serve.settings import Settings

__all__ = ["Server", "listen", "log_requests", "make_config", "run", "run_workers"]

_GRACE_SECONDS = 10
"""How long answers under way may take when the server is asked to stop."""
_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 65
"""Longer than clients pause: a connection closed just when they ask again is an error to them."""


class Server(uvicorn.Server):
    """A uvicorn server that tells when it listens, and tells endless answers when it shall stop.

    Args:
        config: with the application itself.
        on_ready: called once it listens.
    """

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        app = self.config.loaded_app
        while not isinstance(app, FastAPI):  # inside uvicorn's own layers
            app = app.app
        app.state.services.stopping.set()
        super().handle_exit(sig, frame)


def make_config(app: FastAPI | str, settings: Settings, *, workers: int = 1) -> uvicorn.Config:
    """How uvicorn is to run an application, or one that a function of this name makes."""
    # Its lines would hold tokens and queries; the application logs its own requests.
    logging.getLogger("uvicorn.access").disabled = True
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        host=settings.host,
        port=settings.port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_worker_healthcheck=60,  # loading a model keeps a process busy
        lifespan="on",
    )


def run(app: FastAPI, settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, and then answer what is under way.

    Args:
        app: of `create_app`, with these settings.
        settings: host and port.
        on_ready: called with the address once the server listens.

    Raises:
        ConfigError: the address can't be listened on.
    """
    with listen(settings) as listening:
        address = _address(settings, listening)
        Server(make_config(app, settings), lambda: on_ready(address)).run([listening])


def run_workers(factory: str, settings: Settings, workers: int, on_ready: Callable[[str], None]) -> None:
    """Serve by several processes that share one port.

    Args:
        factory: `module:function` that makes the application in each process.
        settings, on_ready: as for `run`; called before the processes are ready.
        workers: how many.

    Raises:
        ConfigError: the address can't be listened on.
    """
    with listen(settings) as listening:
        config = make_config(factory, settings, workers=workers)
        on_ready(_address(settings, listening))
        Multiprocess(config, sockets=[listening]).run()


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        ConfigError: it can't.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"can't listen on {settings.host}:{settings.port} ({error.strerror}): "
            "give another --port or --host"
        ) from error
    listening.set_inheritable(True)
    return listening


def log_requests() -> None:
    """Write a line a request to stderr: method, path, status and time, but no query and no token."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("centerclip.serve")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)


def _address(settings: Settings, listening: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listening.getsockname()[1]}"
