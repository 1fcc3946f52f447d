"""All things of the toy world by name, in a fixed order that the hold-out rule counts on."""

from __future__ import annotations

from centerclip.lab.toy_world.animals import ANIMALS
from centerclip.lab.toy_world.belongings import BELONGINGS
from centerclip.lab.toy_world.plants import PLANTS
from centerclip.lab.toy_world.shapes import Thing
from centerclip.lab.toy_world.vehicles import VEHICLES

__all__ = ["THINGS"]

THINGS: dict[str, Thing] = {thing.name: thing for thing in (*VEHICLES, *ANIMALS, *PLANTS, *BELONGINGS)}
