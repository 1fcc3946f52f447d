"""All things of the toy world by name, read from `things.toml`. The hold-out rule depends on their order."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from centerclip.lab.toy_world.shapes import SHAPES, Shape, Thing

__all__ = ["THINGS"]


def _things() -> dict[str, Thing]:
    drawn = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["things"]
    things = [Thing(tuple(one["names"]), one["way"], tuple(map(_shape, one["shapes"]))) for one in drawn]
    return {thing.name: thing for thing in things}


def _shape(row: list[Any]) -> Shape:
    kind, *values = row
    options = values.pop() if isinstance(values[-1], dict) else {}
    return SHAPES[kind](*values, **options)


THINGS: dict[str, Thing] = _things()
