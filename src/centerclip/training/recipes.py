"""Reads TOML files, which may extend each other, as pydantic models."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from centerclip.errors import ConfigError

__all__ = ["differing_keys", "read_config"]

_Config = TypeVar("_Config", bound=BaseModel)

_EXTENDS = "extends"


def read_config(
    path: str | Path, kind: type[_Config], *, settings: Iterable[str] = (), **overrides: Any
) -> _Config:
    """Read a TOML file.

    A file with `extends = "other.toml"` contains only what differs from that file, whose path is relative to
    its own folder. Its values replace the other's key by key, within tables too.

    Args:
        path: the file.
        kind: the model.
        settings: changes such as `optimization.steps=100`. Values are TOML, or text without quotes; an empty
            one removes the key.
        overrides: top-level values that replace the file's.

    Raises:
        ConfigError: a file is missing or not TOML, files extend each other in a circle, a setting isn't of
            that form, or `kind` doesn't allow keys or values; all of these are named.
    """
    path = Path(path)
    values = _read(path, ())
    for setting in settings:
        values = _changed(values, setting)
    try:
        return kind.model_validate({**values, **overrides})
    except ValidationError as error:
        faults = "; ".join(_describe(fault, kind) for fault in error.errors())
        raise ConfigError(f"{path}: {faults}") from error


def differing_keys(before: BaseModel, now: BaseModel) -> list[str]:
    """Describe the keys whose values differ between two recipes of the same class, by their dotted names."""
    old, new = (dict(_leaves(config.model_dump(mode="json"))) for config in (before, now))
    return [
        f"{key} was {_shown(old, key)}, now {_shown(new, key)}"
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield above + key, value


def _shown(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return "not set" if value is None else repr(value)


def _describe(fault: ErrorDetails, kind: type[BaseModel]) -> str:
    *tables, key = map(str, fault["loc"]) if fault["loc"] else ("the file",)
    name = ".".join((*tables, key))
    if fault["type"] != "extra_forbidden":
        return f"{name}: {fault['msg'].removeprefix('Value error, ')}"
    near = difflib.get_close_matches(key, _keys(kind, tables), n=1)
    return f"{name}: unknown key; " + (f"did you mean {near[0]}?" if near else "remove it")


def _keys(kind: type[BaseModel], tables: Iterable[str]) -> list[str]:
    """List the keys of a table of the model, whose type may be optional."""
    for table in tables:
        if table not in kind.model_fields:
            return []
        annotation = kind.model_fields[table].annotation
        choices = (annotation, *getattr(annotation, "__args__", ()))
        kind = next((c for c in choices if isinstance(c, type) and issubclass(c, BaseModel)), BaseModel)
    return list(kind.model_fields)


def _changed(values: dict[str, Any], setting: str) -> dict[str, Any]:
    """Make one change to a recipe's values."""
    name, equals, text = setting.partition("=")
    *tables, key = keys = [part.strip() for part in name.split(".")]
    if not equals or not all(keys):
        raise ConfigError(f"{setting!r} isn't a setting: write key=value, such as optimization.steps=100")
    changed = table = dict(values)
    for outer in tables:
        inner = table.get(outer)
        table[outer] = dict(inner) if isinstance(inner, dict) else {}
        table = table[outer]
    if text.strip():
        table[key] = _value(text)
    else:
        table.pop(key, None)
    return changed


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text.strip()


def _read(path: Path, extended_by: tuple[Path, ...]) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        asked = f", which {extended_by[-1]} extends," if extended_by else ""
        raise ConfigError(f"{path}{asked} can't be read ({error.strerror}): give a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not valid TOML: it is nested too deeply") from error
    extended = values.pop(_EXTENDS, None)
    if extended is None:
        return values
    if not isinstance(extended, str):
        raise ConfigError(f"{path}: {_EXTENDS} is {extended!r}; it must be the path of a TOML file")
    chain = (*extended_by, path)
    below = path.parent / extended
    if os.path.realpath(below) in map(os.path.realpath, chain):
        raise ConfigError(f"{path}: {_EXTENDS} = {extended!r} makes the file extend itself; remove it")
    return _merged(_read(below, chain), values)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        merged[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged
