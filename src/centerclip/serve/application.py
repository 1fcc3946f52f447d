"""Makes the application: its operations, its page, and the layers around them."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import centerclip
from centerclip.embedding import VideoEncoder
from centerclip.index import Mirror, VideoIndex
from centerclip.serve.errors import ERRORS, add_error_handlers
from centerclip.serve.memory import bound_heaps
from centerclip.serve.metrics import Metrics
from centerclip.serve.routes import exports, indexing, media, operation, search, videos
from centerclip.serve.security import Guard, SecurityHeaders
from centerclip.serve.services import Services
from centerclip.serve.settings import ServerSettings

__all__ = ["create_app"]

_LOG = logging.getLogger("centerclip.serve")
_STATIC = Path(__file__).with_name("static")
_DESCRIPTION = """Find moments in videos with a sentence, a picture or a video.

Errors look like `{"error": {"code", "message"}}`. A server with a token expects it in every request, as
`Authorization: Bearer TOKEN`."""


def create_app(
    index: VideoIndex,
    encoder: VideoEncoder,
    settings: ServerSettings | None = None,
    *,
    mirror: Mirror | None = None,
) -> FastAPI:
    """Make the web application.

    Args:
        index: may be empty, and may be changed by any process while it is served.
        encoder: has the model that made the index.
        settings: host, token and limits; by default, for this machine only.
        mirror: if `index` is the copy of one in object storage, what keeps it up to date; the application
            closes it.

    Returns:
        An ASGI application; `state.services` holds its parts. Jobs, caches and limits belong to one process:
        to serve more visitors, run several servers behind a proxy.

    Raises:
        FingerprintError: the index was made by another model.
    """
    settings = settings or ServerSettings()
    bound_heaps()
    services = Services(index, encoder, settings, mirror)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.start()
        yield
        services.close()

    app = _Application(
        title="CenterCLIP",
        version=centerclip.__version__,
        description=_DESCRIPTION,
        docs_url=None,  # FastAPI's own pages load scripts from another host
        redoc_url=None,
        lifespan=lifespan,
        responses=ERRORS,
    )
    app.state.services = services
    for part in (search, videos, media, exports, indexing, operation):
        app.include_router(part.router)
    _add_pages(app)
    add_error_handlers(app, services.library)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(_Observer, metrics=services.metrics)
    return app


class _Application(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        """Put the headers around everything; `add_middleware` adds layers inside of the error handling."""
        return SecurityHeaders(super().build_middleware_stack())


def _add_pages(app: FastAPI) -> None:
    # Checked by the browser each time, so that a new version of the program never meets an old page.
    fresh = {"Cache-Control": "no-cache"}

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html", headers=fresh)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(_STATIC / "docs" / "index.html", headers=fresh)

    app.mount("/static", _FreshFiles(directory=_STATIC), name="static")


class _FreshFiles(StaticFiles):
    """Static files that browsers keep, but check (by ETag) before they use them."""

    def file_response(self, *args: object, **more: object) -> object:  # type: ignore[override]
        response = super().file_response(*args, **more)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


class _Observer:
    """Counts requests and logs their method, path, status and time, but no query, header or address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.count_request(scope["method"], route, status, seconds)
            _LOG.info("%s %s %d %.0f ms", scope["method"], scope["path"], status, 1000 * seconds)
