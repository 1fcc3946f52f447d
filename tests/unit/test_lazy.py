"""Postponed packages run only when needed."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from centerclip.lazy import postpone


def test_a_postponed_package_runs_when_one_of_its_names_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "postponed"
    package.mkdir()
    (package / "__init__.py").write_text("from postponed import sub\nvalue = sub.value + 1\n")
    (package / "sub.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    postpone("postponed")
    sub, module = import_module("postponed.sub"), sys.modules["postponed"]
    assert (sub.value, "value" in vars(module)) == (1, False)
    assert module.value == 2
    with pytest.raises(AttributeError, match="nothing"):
        _ = module.nothing
    postpone("postponed")
    assert sys.modules["postponed"] is module
    postpone("no_such_package")
    assert "no_such_package" not in sys.modules
