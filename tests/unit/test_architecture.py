"""Imports point one way: a module may import only modules of a lower level; the levels are a table."""

import ast
from collections import Counter
from pathlib import Path

import pytest

import centerclip

ROOT = Path(centerclip.__file__).parent

# Order matters only for prefixes: the longest match counts. One package is one level.
LEVELS = {
    "agents": 5,
    "api": 0,
    "atomic": 0,
    "cores": 0,
    "preprocessing": 0,
    "errors": -1,  # below everything
    "naming": 0,
    "lazy": 0,
    "records": 0,
    "remote": 0,
    "schedule": 1,
    "clustering": 1,
    "index": 1,
    "metrics": 1,
    "rescoring": 1,
    "subtitles": 1,
    "model": 2,
    "video": 2,
    "clips": 3,
    "datasets": 3,
    "embedding": 3,
    "inspect": 3,
    "distributed": 4,
    "duplicates": 4,
    "speech": 3,
    "evaluation": 4,
    "indexing": 4,
    "search": 4,
    "training": 5,
    "client": 5,
    "serve": 5,
    "cli": 6,
    "lab": 7,
}
# What a package may not know of, whatever its level.
FORBIDDEN = {
    "client": {"torch", "fastapi", "numpy"},
    "clips": {"torch", "transformers", "lancedb", "av"},
    "distributed": {"av", "lancedb", "transformers"},
    "duplicates": {"torch", "transformers", "av", "lancedb"},
    "clustering": {"transformers", "av", "lancedb"},
    "model": {"av", "lancedb"},
    "video": {"transformers", "lancedb"},
    "index": {"torch", "transformers", "av"},
    "metrics": {"torch"},
    "naming": {"torch"},
    "rescoring": {"torch"},
    "schedule": {"torch", "numpy"},
    "speech": {"torch", "av", "lancedb"},
    "subtitles": {"torch", "numpy", "av", "lancedb"},
}
MODULES = sorted(
    path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem not in {"__init__", "__main__"}
)


def unit_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names |= (
                {f"{module}.{alias.name}" for alias in node.names} if module == "centerclip" else {module}
            )
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_to_lower_levels(path: Path) -> None:
    unit = unit_of(path)
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] == "centerclip" and parts[1:] and parts[1] in LEVELS and parts[1] != unit:
            assert LEVELS[parts[1]] < LEVELS[unit], f"{unit} imports {name}, which is not below it"
        assert parts[0] not in FORBIDDEN.get(unit, set()), f"{unit} must not know {parts[0]}"


def test_the_product_knows_the_laboratory_by_name_only() -> None:
    naming = {unit_of(path) for path in MODULES if "centerclip.lab" in path.read_text(encoding="utf-8")}
    assert naming <= {"cli", "datasets", "lab"}  # the levels forbid everybody else's imports of it


def test_every_module_has_a_level() -> None:
    assert {unit_of(path) for path in MODULES} <= set(LEVELS)


def test_no_catch_all_modules() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "helpers", "common", "base"}


def test_public_names_are_all_there() -> None:
    assert sorted(centerclip.__all__) == centerclip.__all__
    for name in centerclip.__all__:
        assert getattr(centerclip, name) is not None


def test_files_of_tests_have_names_of_their_own() -> None:
    """Python would import only one of two files with the same name in a part of the tests."""
    for part in (path for path in Path(__file__).parents[1].iterdir() if path.is_dir()):
        names = Counter(path.name for path in part.rglob("*.py") if path.name != "conftest.py")
        assert not [name for name, count in names.items() if count > 1], part.name
