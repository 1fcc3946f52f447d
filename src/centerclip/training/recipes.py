"""Reads TOML files, which may extend each other, as pydantic models."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from centerclip.errors import ConfigError

__all__ = ["read_config"]

_Config = TypeVar("_Config", bound=BaseModel)

_EXTENDS = "extends"


def read_config(path: str | Path, kind: type[_Config], **overrides: Any) -> _Config:
    """Read a TOML file.

    A file with `extends = "other.toml"` contains only what differs from that file, whose path is relative to
    its own folder. Its values replace the other's key by key, within tables too.

    Args:
        path: the file.
        kind: the model.
        overrides: top-level values that replace the file's.

    Raises:
        ConfigError: a file is missing or not TOML, files extend each other in a circle, or `kind` doesn't
            allow keys or values; all of these are named.
    """
    path = Path(path)
    values = {**_read(path, ()), **overrides}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise ConfigError(f"{path}: {faults}") from error


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
