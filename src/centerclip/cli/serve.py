"""`centerclip serve`: the web page and the REST API."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.indexing import check_videos
from centerclip.cli.options import option
from centerclip.cli.output import note
from centerclip.errors import ConfigError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from centerclip.serve.settings import Settings

__all__ = ["make_app", "serve"]

_TOKEN = "CENTERCLIP_TOKEN"
_PLAN = "CENTERCLIP_SERVE_PLAN"
"""How the main process tells the workers what to serve."""


def serve(
    host: Annotated[str, typer.Option(metavar="NAME", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0 takes a free one.")] = 8000,
    folder: Annotated[
        list[Path] | None,
        option(
            "What the page may index anew; may be repeated; by default where the indexed videos lie.",
            "--folder",
            metavar="PATH",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processes, each with a model of its own.")
    ] = 1,
    open_page: Annotated[bool, option("Open the page in a browser.", "--open")] = False,
    log: Annotated[bool, option("Write a line a request to stderr.", "--log")] = False,
    index: options.IndexLocation = None,
    model: options.Model = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    backend: options.Backend = "torch",
) -> None:
    """Serve the web page and the REST API, which /docs describes.

    Listens on this machine only. Any other --host wants a token in CENTERCLIP_TOKEN, at least 16
    characters that visitors must show: programs as `Authorization: Bearer TOKEN`, people by opening
    /?token=TOKEN once. The connection is not encrypted: put a proxy with TLS before it.

    The index may grow meanwhile, by `centerclip index` or from the page. Ctrl-C stops after the
    requests in hand.

    \b
    Examples:
      centerclip serve --open
      centerclip serve --index clips.index --port 9000
      CENTERCLIP_TOKEN=$(openssl rand -hex 16) centerclip serve --host 0.0.0.0
    """
    try:
        from centerclip.serve import running
        from centerclip.serve.settings import Settings
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("centerclip"):
            raise
        raise ConfigError(
            f"serving needs the package {error.name}, which is not installed: pip install 'centerclip[serve]'"
        ) from error
    from centerclip.index import VideoIndex

    folders = tuple(path.expanduser().absolute() for path in folder or ())
    settings = Settings(host=host, port=port, token=os.environ.get(_TOKEN) or None, folders=folders)
    plan = _Plan(options.index_location(index), model, device, precision, backend, log)
    store = VideoIndex(plan.index)  # complains before a model is loaded
    if folders:
        check_videos(folders)
    if store.model is None:
        note("The index is empty so far; the page tells how to fill it.")

    def ready(address: str) -> None:
        note(f"Serving on {address} (Ctrl-C stops)")
        if open_page:
            import webbrowser

            webbrowser.open(f"{address}/?token={settings.token}" if settings.token else address)

    if workers > 1:
        os.environ[_PLAN] = json.dumps([asdict(plan), [host, port, [str(path) for path in folders]]])
        running.run_workers("centerclip.cli.serve:make_app", settings, workers, ready)
    else:
        running.run(_make(plan, settings), settings, ready)


@dataclass(frozen=True)
class _Plan:
    """What a process needs to know to make its application, beside the settings."""

    index: str
    model: str | None
    device: str
    precision: str
    backend: str
    log: bool


def make_app() -> FastAPI:
    """Make the application in a worker process, as the main one has planned it in the environment."""
    from centerclip.serve.settings import Settings

    plan, (host, port, folders) = json.loads(os.environ[_PLAN])
    token = os.environ.get(_TOKEN) or None
    return _make(_Plan(**plan), Settings(host, port, token, tuple(map(Path, folders))))


def _make(plan: _Plan, settings: Settings) -> FastAPI:
    from centerclip.cli.loading import load_encoder
    from centerclip.index import VideoIndex
    from centerclip.serve import create_app
    from centerclip.serve.running import log_requests

    if plan.log:
        log_requests()
    store = VideoIndex(plan.index)
    encoder = load_encoder(
        plan.model, store.model, device=plan.device, precision=plan.precision, backend=plan.backend
    )
    return create_app(store, encoder, settings)
