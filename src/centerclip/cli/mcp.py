"""`centerclip mcp`: an index as tools for AI agents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from centerclip.cli import options
from centerclip.cli.options import option
from centerclip.errors import ConfigError, IndexStoreError

if TYPE_CHECKING:
    from centerclip.search import QueryEncoder

__all__ = ["mcp"]


def mcp(
    clips: Annotated[
        Path | None,
        option("Folder into which moments may be cut. Default: no cutting.", "--clips", metavar="FOLDER"),
    ] = None,
    index: options.IndexLocation = None,
    storage: options.StorageOptions = None,
    model: options.SearchModel = None,
    backbone: options.Backbone = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    backend: options.Backend = "auto",
) -> None:
    """Serve an index to an AI agent over stdin and stdout, with the Model Context Protocol.

    Tools: search, picture, videos and library, and with --clips also cut. The agent sees the paths, pictures
    and figures of the index, and reads no other file. Clips are new files in one folder.

    The model is loaded at the first search. Messages for people go to stderr.

    \b
    Example, in the agent's settings:
      {"mcpServers": {"videos": {"command": "centerclip", "args": ["mcp", "--clips", "/home/me/clips"]}}}
    """
    try:
        from centerclip.agents import make_server
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("centerclip"):
            raise
        raise ConfigError(
            f"this needs the package {error.name}, which isn't installed: pip install 'centerclip[mcp]'"
        ) from None
    from centerclip.index import VideoIndex

    store = VideoIndex(
        options.index_location(index), create=False, storage_options=options.storage_options(storage)
    )

    def load() -> QueryEncoder:
        from centerclip.cli.loading import load_encoder, load_sentence_encoder

        card = store.model
        if card is None:
            raise IndexStoreError(f"the index {store.location} is gone: run `centerclip index PATH` again")
        if (model, backbone, device, precision, backend) == (None, None, "auto", "auto", "auto"):
            quick = load_sentence_encoder(card)
            if quick is not None:
                return quick
        return load_encoder(
            model, card, backbone=backbone, device=device, precision=precision, backend=backend
        )

    make_server(store, load, clips=clips.expanduser().absolute() if clips else None).run("stdio")
