"""Options that several commands share, each with one name, one meaning and one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer

__all__ = [
    "Backend",
    "Device",
    "IndexLocation",
    "Json",
    "Model",
    "Precision",
    "Schedule",
    "argument",
    "default_folder",
    "index_location",
    "option",
]


def argument(name: str) -> Any:
    """An argument that the command's text explains; typer's own row for it would name a Python type."""
    return typer.Argument(metavar=name, hidden=True)


def option(text: str, *names: str, metavar: str | None = None, **more: Any) -> Any:
    """An option whose help says in words what holds when it is not given."""
    return typer.Option(*names, help=text, metavar=metavar, show_default=False, **more)


IndexLocation = Annotated[
    str | None,
    option(
        "The index: a folder, or an address such as s3://bucket/prefix; by default in your data folder.",
        "--index",
        metavar="PLACE",
        envvar="CENTERCLIP_INDEX",
    ),
]
Model = Annotated[
    str | None,
    option(
        "A model's name on the hub, its folder, or nano, the small bundled one; by default the index's, "
        "or laion/CLIP-ViT-B-32-laion2B-s34B-b79K.",
        "--model",
        metavar="NAME",
        envvar="CENTERCLIP_MODEL",
    ),
]
Schedule = Annotated[
    str | None,
    option(
        "Token schedule: none, stages such as B6-4,49, or fast, balanced or best; by default the model's.",
        metavar="STAGES",
    ),
]
Device = Annotated[
    str, option("Where to compute: cpu, cuda, cuda:1; by default a GPU where there is one.", metavar="NAME")
]
Precision = Annotated[
    str,
    option(
        "float32, bfloat16, or int8 on a CPU; by default bfloat16 where the processor is quick at it.",
        metavar="NAME",
    ),
]
Backend = Annotated[
    str,
    option(
        "Whose kernels compute on a CPU: torch or openvino, which on some processors is faster; by default "
        "torch.",
        metavar="NAME",
        envvar="CENTERCLIP_BACKEND",
    ),
]
Json = Annotated[bool, option("Print JSON, one object a line.", "--json")]


def default_folder(name: str) -> Path:
    """A folder of this program in the platform's place for users' data, such as ~/.local/share."""
    return platformdirs.user_data_path("centerclip", appauthor=False) / name


def index_location(given: str | None) -> str:
    """Where the index is: what was given, or the user's own one."""
    return given or str(default_folder("index"))
