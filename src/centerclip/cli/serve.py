"""`centerclip serve`: the web page and the REST API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.indexing import check_videos
from centerclip.cli.options import option
from centerclip.cli.output import note
from centerclip.errors import ConfigError
from centerclip.remote import is_address, may_exist

if TYPE_CHECKING:
    from centerclip.index import Mirror
    from centerclip.serve import ServerSettings

__all__ = ["serve"]


def serve(
    host: Annotated[str, typer.Option(metavar="NAME", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port to listen on; 0 picks a free one.")
    ] = 8000,
    folder: Annotated[
        list[Path] | None,
        option(
            "Folder the page may index; can be repeated. Default: the folders indexed before.",
            "--folder",
            parser=options.read_place,
            metavar="PATH",
        ),
    ] = None,
    watch: Annotated[bool, option("Index changes in the folders without being asked to.", "--watch")] = False,
    poll: Annotated[
        float | None,
        option(
            "With --watch: look for changes at this interval instead of waiting for the system's events; "
            "default: 30 on network folders. With --replica: look for a new version of an index in object "
            "storage at this interval; default: 2.",
            metavar="SEC",
            min=0.1,
        ),
    ] = None,
    replica: Annotated[
        bool,
        option("Only read the index; there can be any number of such servers for an index.", "--replica"),
    ] = False,
    mirror: Annotated[
        Path | None,
        option(
            "With --replica: folder for the copy of an index in object storage. Default: a folder in your "
            "cache folder.",
            metavar="FOLDER",
        ),
    ] = None,
    drain: Annotated[
        float,
        option(
            "On SIGTERM, go on for this long before stopping, with /readyz failing. Default: 0.",
            metavar="SEC",
            min=0.0,
        ),
    ] = 0.0,
    open_page: Annotated[bool, option("Open the page in a browser.", "--open")] = False,
    log: Annotated[bool, option("Log each request to stderr.", "--log")] = False,
    index: options.IndexLocation = None,
    storage: options.StorageOptions = None,
    model: options.IndexModel = None,
    backbone: options.Backbone = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    backend: options.Backend = "auto",
) -> None:
    """Serve the web page and the REST API.

    The address /docs describes the API. By default, only this machine can connect. Any other --host needs a
    token of at least 16 characters in CENTERCLIP_TOKEN. Programs send it as `Authorization: Bearer TOKEN`;
    people enter it on the page, or open /?token=TOKEN once. The connection isn't encrypted: put a TLS proxy
    in front of it, which may put the page into a folder of its site. To use more processes or machines, run
    several servers behind that proxy.

    With --replica, the server never writes to the index. One in object storage is copied to this machine, and
    the copy is searched; an addition is found once its files are copied. Until the first copy is complete,
    /readyz and all searches answer 503.

    The index can change while it is served, by `centerclip index` or from the page. With --watch, new and
    changed files are indexed once they haven't changed for two seconds. Ctrl-C stops the server after the
    requests in progress.

    \b
    Examples:
      centerclip serve --open
      centerclip serve --folder ~/Videos --watch
      centerclip serve --index clips.index --port 9000
      CENTERCLIP_TOKEN=$(openssl rand -hex 16) centerclip serve --host 0.0.0.0
      centerclip serve --replica --index s3://bucket/index --drain 15
    """
    # Arrow's own allocator keeps what each thread once needed. Arrow reads this when it is imported.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        from centerclip.serve import ServerSettings, create_app, running
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("centerclip"):
            raise
        raise ConfigError(
            f"serving needs the package {error.name}, which isn't installed: pip install 'centerclip[serve]'"
        ) from error
    from centerclip.cli.loading import load_encoder
    from centerclip.index import VideoIndex

    folders = tuple(path if is_address(path) else path.expanduser().absolute() for path in folder or ())
    token = os.environ.get("CENTERCLIP_TOKEN") or None
    settings = ServerSettings(
        host=host,
        port=port,
        token=token,
        folders=folders,
        watch=watch,
        poll_seconds=poll,
        replica=replica,
        drain_seconds=drain,
    )
    location, asked = options.index_location(index), options.storage_options(storage)
    copy = _mirror(location, asked, mirror, settings)
    store = VideoIndex(copy.folder) if copy else VideoIndex(location, storage_options=asked)
    card = copy.meta.card if copy else store.model
    if watch and not (folders or store.roots):
        raise ConfigError("--watch needs a folder: add --folder PATH, or run centerclip index PATH first")
    if missing := [str(path) for path in folders if not may_exist(path)]:
        raise ConfigError(f"{missing[0]}: there is no such file or folder; check the spelling")
    if folders and not watch:
        check_videos(folders)
    if card is None and not folders:
        note("The index is empty; the page explains how to fill it.")
    if log:
        running.log_requests()

    with running.listen(settings) as listening:  # fails before a model is loaded
        encoder = load_encoder(
            model,
            card,
            backbone=backbone,
            device=device,
            precision=precision,
            backend=backend,
            windows=lambda: 0,  # a page adds to the index, but rarely much at once
        )
        server = running.make_server(create_app(store, encoder, settings, mirror=copy))
        address = running.address_of(settings, listening)
        note(f"Serving on {address} (Ctrl-C stops)")
        if other := running.other_address_of(settings, listening):
            note(f"From other machines: {other} (the page asks for the token)")
        if open_page:
            import webbrowser

            webbrowser.open(f"{address}/?token={settings.token}" if settings.token else address)
        server.run([listening])


def _mirror(
    location: str, asked: dict[str, str], folder: Path | None, settings: ServerSettings
) -> Mirror | None:
    """Return the copy that a replica serves; None for an index that is read in place."""
    from centerclip.index import Mirror
    from centerclip.index.summary import is_remote

    if settings.replica and is_remote(location):
        return Mirror(location, folder or settings.cache_for(location) / "mirror", asked)
    if folder is not None:
        raise ConfigError(
            f"--mirror copies an index from object storage for --replica, but the index is {location}: "
            "leave out --mirror, or give --replica and an address with --index"
        )
    return None
