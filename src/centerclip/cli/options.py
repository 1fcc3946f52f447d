"""Options that several commands share, each with one name, one meaning and one help text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer

from centerclip.model.registry import CPU_MODEL, GPU_MODEL
from centerclip.naming import REDUCERS, look_here, split_names

__all__ = [
    "REDUCER_NAMES",
    "STAGES",
    "Backbone",
    "Backend",
    "Device",
    "IndexLocation",
    "IndexModel",
    "Json",
    "Model",
    "Poll",
    "Precision",
    "SearchModel",
    "StorageOptions",
    "argument",
    "default_folder",
    "index_location",
    "model_option",
    "names",
    "option",
    "storage_options",
]


def argument(name: str) -> Any:
    """An argument described in the command's docstring; typer's own line would name a Python type."""
    return typer.Argument(metavar=name, hidden=True)


def places(name: str) -> Any:
    """An argument like `argument`: paths, and addresses of videos."""
    return typer.Argument(metavar=name, hidden=True, parser=read_place)


def read_place(text: str) -> Path:
    """Read a path or an address; see `parse_place`."""
    from centerclip.remote import parse_place

    return parse_place(text)


def option(text: str, *names: str, metavar: str | None = None, **more: Any) -> Any:
    """An option whose help text states the default."""
    return typer.Option(*names, help=text, metavar=metavar, show_default=False, **more)


def model_option(default: str) -> Any:
    """The option `--model`; `default` says which model is used without it."""
    return option(
        f"Model: a name on the hub, a folder, or nano (small and bundled). Default: {default}.",
        "--model",
        metavar="NAME",
        envvar="CENTERCLIP_MODEL",
    )


IndexLocation = Annotated[
    str | None,
    option(
        "Index: a folder, or an address such as s3://bucket/prefix. Default: a folder in your data folder.",
        "--index",
        metavar="PLACE",
        envvar="CENTERCLIP_INDEX",
    ),
]
StorageOptions = Annotated[
    list[str] | None,
    option(
        "Setting of an index in object storage, such as region=eu-central-1 or endpoint=https://host; may be "
        "repeated. Default: the AWS_ variables and ~/.aws.",
        "--storage-option",
        metavar="KEY=VALUE",
    ),
]
_DEFAULT = f"{GPU_MODEL} on a GPU, {CPU_MODEL} on a CPU"
Model = Annotated[str | None, model_option(_DEFAULT)]
"""For commands without an index."""
IndexModel = Annotated[str | None, model_option(f"the index's own, or for a new index {_DEFAULT}")]
SearchModel = Annotated[str | None, model_option("the index's own")]
STAGES = "Token schedule: none, fast, balanced, best, or stages such as B6-4,49."
REDUCER_NAMES = (
    f"Token reducer: {', '.join(REDUCERS)}, with options as in 'spectral(graph=knn)', or your own as "
    "module:Class."
)
Backbone = Annotated[
    str | None, option("Your own model adapter as module:Class. Default: the model's own.", metavar="NAME")
]
Device = Annotated[
    str, option("Device: cpu, cuda, or cuda:1. Default: the first GPU, or the CPU.", metavar="NAME")
]
_PRECISIONS = (
    "float32, bfloat16, int8 (CPU only), or float16 or tf32 (GPU only). Default: bfloat16 where the hardware "
    "supports it natively, float16 on older GPUs"
)
Precision = Annotated[str, option(f"{_PRECISIONS}.", metavar="NAME")]
IndexPrecision = Annotated[
    str,
    option(f"{_PRECISIONS}; on a CPU, int8 for a large new index if it is much faster.", metavar="NAME"),
]
Backend = Annotated[
    str,
    option(
        "CPU inference backend: torch, openvino, or auto. Default: auto, which is torch, or for a large run "
        "of index the one that is faster here.",
        metavar="NAME",
        envvar="CENTERCLIP_BACKEND",
    ),
]
Poll = Annotated[
    float | None,
    option(
        "With --watch: look for changes at this interval instead of waiting for the system's events. "
        "Default: 30 on network folders.",
        metavar="SEC",
        min=0.1,
    ),
]
Json = Annotated[bool, option("Print JSON, one object per line.", "--json")]


def names(given: Sequence[str] | None) -> list[str]:
    """Split `["a,b(c=1, d=2)", "e"]` into a, b(c=1, d=2) and e, without duplicates.

    If one is a `module:Class`, let it be imported from the working folder.
    """
    found = list(dict.fromkeys(name for text in given or () for name in split_names(text)))
    if any(":" in name for name in found):
        look_here()
    return found


def storage_options(given: Sequence[str] | None) -> dict[str, str]:
    """Split `["region=eu-central-1"]` into names and values, which may be secret, so no message shows them.

    Raises:
        typer.BadParameter: one isn't KEY=VALUE.
    """
    found = {}
    for text in given or ():
        name, sign, value = text.partition("=")
        if not (name and sign):
            rule = "each one is KEY=VALUE, such as region=eu-central-1"
            raise typer.BadParameter(rule, param_hint="--storage-option")
        found[name] = value
    return found


def default_folder(name: str) -> Path:
    """A folder of this program in the user's data folder, such as ~/.local/share/centerclip."""
    return platformdirs.user_data_path("centerclip", appauthor=False) / name


def index_location(given: str | None) -> str:
    """The given index, or else the default one."""
    return given or str(default_folder("index"))
