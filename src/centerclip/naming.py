"""Names of reducers and backbones, with options: `kmedoids`, `spectral(sigma=2.0)`, `my_module:Mine(a=1)`.

The built-in ones are listed here so that the command line can show them without loading torch. Resolving a
name imports a module and never evaluates text.
"""

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
REDUCERS = tuple(REDUCER_CLASSES)
BACKBONE_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "clip": "centerclip.model.backbones.clip:CLIPBackbone",
        "siglip": "centerclip.model.backbones.siglip:SiglipBackbone",
        "metaclip_2": "centerclip.model.backbones.multilingual:MetaClip2Backbone",
        "chinese_clip": "centerclip.model.backbones.multilingual:ChineseCLIPBackbone",
        "altclip": "centerclip.model.backbones.multilingual:AltCLIPBackbone",
        "pe_core": "centerclip.model.backbones.pe_core:PECoreBackbone",
    }
)
"""By the `model_type` of the family in `transformers`."""

_NAME = re.compile(r"\s*([\w.:]+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_PLACE = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*(?:\.[^\W\d]\w*)*)")


def split_names(text: str) -> list[str]:
    """Split `a, b(c=1, d=2)` into `a` and `b(c=1, d=2)`, dropping empty names and surrounding spaces."""
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

    Values are JSON numbers, `true`, `false` and `null`; anything else is text, with optional double quotes.

    Raises:
        ConfigError: malformed text, or a repeated option.
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
    """Read a name and options from text or from a table `{"name": ..., **options}`.

    Args:
        given: the text or table.
        what: the kind of thing, for messages.

    Raises:
        ConfigError: neither form.
    """
    if isinstance(given, str):
        return parse_name(given)
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise ConfigError(
            f"{what} is {given!r}: give a name, name(option=value), or a table with a name and options"
        )
    name, options = parse_name(given["name"])
    return name, {**options, **{key: value for key, value in given.items() if key != "name"}}


def format_name(name: str, options: Mapping[str, Option]) -> str:
    """Format `name(option=value, ...)`, or only the name if there are no options; `parse_name` reads it."""
    text = ", ".join(f"{key}={_format_value(value)}" for key, value in options.items())
    return f"{name}({text})" if text else name


def write_options(name: str, options: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Make the table that `read_options` reads.

    Raises:
        ConfigError: an option that can't be saved.
    """
    for key, value in options.items():
        if key == "name" or not isinstance(value, Option):
            raise ConfigError(
                f"{what} {name} can't be saved with {key}={value!r}: options must be text, numbers, booleans "
                "or None, and can't be called name"
            )
    return {"name": name, **options}


def name_of(made: type, builtin: Mapping[str, str]) -> str:
    """Return the class's built-in name, or else `module:Class`."""
    path = f"{made.__module__}:{made.__qualname__}"
    return next((name for name, place in builtin.items() if place == path), path)


def resolve(name: str, builtin: Mapping[str, str], kind: type[T], what: str) -> type[T]:
    """Find a class by name.

    Args:
        name: a key of `builtin`, or `module:Class`.
        builtin: the built-in classes as `module:Class`, by name.
        kind: the required base class.
        what: the kind of thing, for messages.

    Raises:
        ConfigError: an unknown name, a failed import, or not a subclass of `kind`.
    """
    match = _PLACE.fullmatch(builtin.get(name, name))
    if match is None:
        raise ConfigError(
            f"{what} {name!r} is unknown: choose one of {', '.join(builtin)}, or your own as module:Class"
        )
    found = import_object(match[0], what)
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise ConfigError(f"{what} {name} is not a subclass of {kind.__name__}: derive it from that class")
    return found


def import_object(place: str, what: str) -> Any:
    """Import `module:object`.

    Raises:
        ConfigError: the object can't be imported.
    """
    module, _, attributes = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (Exception, SystemExit) as error:  # importing runs the module's code, which may raise anything
        remedy = "install it or add its folder to PYTHONPATH"
        if module == "__main__":
            remedy = "it was defined in a script, so move it to a module"
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{what} {place} can't be imported ({reason}): {remedy}") from error
    return found


def look_here() -> None:
    """Add the working folder to the import path, as `python -m` does.

    Only for names typed by the user: a downloaded model must not import files from the working folder.
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
