"""Imports put off until they are needed, so that a command loads only what it uses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

__all__ = ["lazy_names", "postpone"]


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the `__getattr__` and `__dir__` of a package whose names are imported on first use (PEP 562).

    Args:
        package: its `__name__`.
        modules: for each name, the module that defines it, or the module that it is.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(modules[name])
        value = module if modules[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: sorted({*vars(sys.modules[package]), *modules})


class _Postponed(ModuleType):
    def __getattr__(self, name: str) -> Any:
        object.__setattr__(self, "__class__", ModuleType)
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def postpone(package: str) -> None:
    """Let a package's submodules be imported without running its `__init__`.

    It runs when one of its own names is asked for. Does nothing if the package is loaded already or not
    installed. (`importlib.util.LazyLoader` can't do this: it runs a package when a submodule is imported.)
    """
    if package not in sys.modules and (spec := find_spec(package)):
        module = module_from_spec(spec)
        module.__class__ = _Postponed
        sys.modules[package] = module
