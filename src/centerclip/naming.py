"""Names of reducers and backbones, with options: `kmedoids`, `spectral(sigma=2.0)`, `my_module:Mine(a=1)`.

The tables of the built-in ones stand here, where the command line can list them without loading torch.
A name leads to a class by importing its module and nothing else: nothing that a name holds is evaluated.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from centerclip.errors import ConfigError

__all__ = [
    "BACKBONE_CLASSES",
    "REDUCERS",
    "REDUCER_CLASSES",
    "Option",
    "format_name",
    "import_object",
    "look_here",
    "name_of",
    "parse_name",
    "read_options",
    "resolve",
    "split_names",
    "write_options",
]

T = TypeVar("T")
Option = str | int | float | bool | None

# To add a reducer or a backbone, write its class and add a line.
REDUCER_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "kmedoids": "centerclip.clustering.reducers.clustered:KMedoids",
        "spectral": "centerclip.clustering.reducers.clustered:Spectral",
        "pool": "centerclip.clustering.reducers.fixed:Pool",
        "sample": "centerclip.clustering.reducers.fixed:Sample",
        "temporal_shift": "centerclip.clustering.reducers.fixed:TemporalShift",
        "token_shift": "centerclip.clustering.reducers.fixed:TokenShift",
        "merge": "centerclip.clustering.reducers.merging:Merge",
    }
)
"""Where each built-in reducer's class is."""
REDUCERS = tuple(REDUCER_CLASSES)
BACKBONE_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "clip": "centerclip.model.backbones.clip:CLIPBackbone",
        "siglip": "centerclip.model.backbones.siglip:SiglipBackbone",
    }
)
"""Where each built-in backbone's class is, by the `model_type` that `transformers` gives the family."""

_NAME = re.compile(r"\s*([\w.:]+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_PLACE = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*(?:\.[^\W\d]\w*)*)")


def split_names(text: str) -> list[str]:
    """Split a list of names at its commas, except for those within parentheses or quotes.

    Returns:
        The names without surrounding spaces, empty ones left out: `a, b(c=1, d=2)` is `a` and `b(c=1, d=2)`.
    """
    parts, depth, quoted = [""], 0, False
    for letter in text:
        if letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += (letter == "(") - (letter == ")")
        if letter == "," and depth <= 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def parse_name(text: str) -> tuple[str, dict[str, Option]]:
    """Split `name(option=value, ...)` into the name and its options.

    Values are numbers, `true`, `false` and `null` as in JSON, or else text, in double quotes where need be.

    Raises:
        ConfigError: the text has another form, or states an option twice.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} can't be read: write a name, or name(option=value)")
    options: dict[str, Option] = {}
    for part in split_names(match[2] or ""):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key.isidentifier() or key in options:
            raise ConfigError(f"{text!r} can't be read at {part!r}: write each option once, as option=value")
        options[key] = _parse_value(value)
    return match[1], options


def read_options(given: str | Mapping[str, Any], what: str) -> tuple[str, dict[str, Any]]:
    """The name and options of a `what` given as text or as `{"name": ..., **options}`.

    Raises:
        ConfigError: it has neither form.
    """
    if isinstance(given, str):
        return parse_name(given)
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise ConfigError(
            f"{what} is {given!r}: give a name, with or without options, or a table with name and options"
        )
    name, options = parse_name(given["name"])
    return name, {**options, **{key: value for key, value in given.items() if key != "name"}}


def format_name(name: str, options: Mapping[str, Option]) -> str:
    """The inverse of `parse_name`: `name(option=value, ...)`, or the name alone without options."""
    stated = ", ".join(f"{key}={_format_value(value)}" for key, value in options.items())
    return f"{name}({stated})" if stated else name


def write_options(name: str, options: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The table that `read_options` reads.

    Raises:
        ConfigError: an option that can't be saved.
    """
    for key, value in options.items():
        if key == "name" or not isinstance(value, Option):
            raise ConfigError(
                f"{what} {name} can't be saved with {key}={value!r}: options are text, numbers, truth values "
                "or None, and none is called name"
            )
    return {"name": name, **options}


def name_of(made: type, builtin: Mapping[str, str]) -> str:
    """The name that leads to a class: its key in the table, or else `module:Class`."""
    own = f"{made.__module__}:{made.__qualname__}"
    return next((name for name, place in builtin.items() if place == own), own)


def resolve(name: str, builtin: Mapping[str, str], kind: type[T], what: str) -> type[T]:
    """Find the class that a name leads to.

    Args:
        name: a key of `builtin`, or `module:Class`.
        builtin: where the built-in classes are.
        kind: what the class must be a subclass of.
        what: what messages call it, such as `reducer`.

    Raises:
        ConfigError: an unknown name, a module that can't be imported, or something other than such a class.
    """
    match = _PLACE.fullmatch(builtin.get(name, name))
    if match is None:
        raise ConfigError(
            f"{what} {name!r} is unknown: choose one of {', '.join(builtin)}, or your own as module:Class"
        )
    found = import_object(match[0], what)
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise ConfigError(f"{what} {name} is not a subclass of {kind.__name__}: derive the class from it")
    return found


def import_object(place: str, what: str) -> Any:
    """Import `module:object`; the module's own code runs, and nothing else.

    Raises:
        ConfigError: the text has another form, or the object can't be imported.
    """
    module, _, attributes = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (Exception, SystemExit) as error:  # whatever the module does when it is imported
        remedy = "install it or add its folder to PYTHONPATH"
        if module == "__main__":
            remedy = "it was defined in a script: move it to a module"
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{what} {place} can't be imported ({reason}): {remedy}") from error
    return found


def look_here() -> None:
    """Let `module:Class` be found in the working folder, as `python -m` does.

    For names that the user typed; a name in a downloaded model must not lead to a file that lies about.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def _parse_value(text: str) -> Option:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, Option) else text


def _format_value(value: Option) -> str:
    if isinstance(value, str) and value == _parse_value(value.strip()) and not set(value) & set("(),\"'"):
        return value
    return json.dumps(value, ensure_ascii=False)
