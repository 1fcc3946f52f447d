"""Deferred imports, so that a command loads only what it uses."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

__all__ = ["lazy_names", "postpone"]


def lazy_names(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make `__getattr__` and `__dir__` for a package that imports its names on first use (PEP 562).

    Args:
        package: its `__name__`.
        names: the names that each module defines. A module's own name stands for the module.
    """
    modules = {name: module for module, defined in names.items() for name in defined}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(modules[name])
        value = module if module.__name__ == f"{package}.{name}" else getattr(module, name)
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

    `__init__` runs when one of the package's own names is used. Does nothing if the package is loaded already
    or not installed. (`importlib.util.LazyLoader` runs a package as soon as a submodule is imported.)
    """
    if package not in sys.modules and (spec := find_spec(package)):
        module = module_from_spec(spec)
        module.__class__ = _Postponed
        sys.modules[package] = module
