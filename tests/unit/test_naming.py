"""Names with options: parsing, formatting, and resolving to classes."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from centerclip.errors import ConfigError
from centerclip.naming import format_name, name_of, parse_name, read_options, resolve, split_names

BUILT_IN = {"ordered": "collections:OrderedDict"}


def test_a_list_of_names_is_split_outside_of_parentheses_and_quotes() -> None:
    names = ["kmedoids", "spectral(graph=knn, sigma=2.0)", 'my:Own(a="x,)", b=(1,2))', "pool"]
    assert split_names(f" {names[0]},{names[1]} ,, {names[2]},{names[3]},") == names


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("pool", "pool", {}),
        ("pool()", "pool", {}),
        (
            " my.module:Own.Inner( a = 1, b=-2.5e3, c=true,d=null ) ",
            "my.module:Own.Inner",
            {"a": 1, "b": -2500.0, "c": True, "d": None},
        ),
        (
            'a(b=knn, c="1", d="x, (y", e=, f=[1])',
            "a",
            {"b": "knn", "c": "1", "d": "x, (y", "e": "", "f": "[1]"},
        ),
    ],
)
def test_names_are_parsed_and_formatted(text: str, name: str, options: dict[str, Any]) -> None:
    assert parse_name(text) == (name, options)
    assert parse_name(format_name(name, options)) == (name, options)
    assert read_options({"name": name, **options}, "thing") == (name, options)


@pytest.mark.parametrize(
    "text", ["", "a b", "a(b)", "a(b=1", "a(b=1, b=2)", "a(1=2)", "a(b=1) c", "__import__('os')"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        parse_name(text)


def test_names_resolve_to_classes_and_back() -> None:
    assert resolve("ordered", BUILT_IN, dict, "thing") is OrderedDict
    assert resolve("collections:OrderedDict", {}, dict, "thing") is OrderedDict
    assert name_of(OrderedDict, BUILT_IN) == "ordered"
    assert name_of(OrderedDict, {}) == "collections:OrderedDict"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other", "thing 'other' is unknown: choose one of ordered, or your own as module:Class"),
        ("os.system:", "is unknown"),
        ("os:system('x')", "is unknown"),
        (".relative:Class", "is unknown"),
        ("no_such_module:Class", r"can't be imported \(ModuleNotFoundError.*add its folder to PYTHONPATH"),
        ("collections:NoSuch", r"can't be imported \(AttributeError"),
        ("__main__:NoSuch", "it was defined in a script, so move it to a module"),
        ("stops:Class", r"can't be imported \(SystemExit"),
        ("os:getcwd", "is not a subclass of dict"),
        ("collections:deque", "is not a subclass of dict"),
    ],
)
def test_names_that_cannot_be_resolved_are_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stops.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=message):
        resolve(name, BUILT_IN, dict, "thing")
