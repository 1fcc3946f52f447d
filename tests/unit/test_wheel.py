"""The wheel that an index would get: its files and its metadata."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email.message import Message
from importlib import import_module
from pathlib import Path

import pytest
import trove_classifiers

import centerclip

ROOT = Path(__file__).parents[2]
INFO = f"centerclip-{centerclip.__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    assert path.name == f"centerclip-{centerclip.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return email.message_from_bytes(wheel.read(f"{INFO}/METADATA"))


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_it_has_every_file_of_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    ignored = {"__pycache__", ".DS_Store"}
    ours = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "centerclip").rglob("*")
        if path.is_file() and ignored.isdisjoint(path.parts)
    }
    assert {name for name in wheel.namelist() if not name.startswith(INFO)} == ours
    assert "centerclip/py.typed" in ours
    assert "centerclip/serve/static/index.html" in ours
    assert any(name.startswith("centerclip/") and name.endswith(".safetensors") for name in ours)  # nano


def test_its_metadata_is_complete(metadata: Message, project: dict[str, object]) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("centerclip", centerclip.__version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Summary"] == project["description"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload(decode=True) == (ROOT / "README.md").read_bytes()
    classifiers = metadata.get_all("Classifier", [])
    assert classifiers == project["classifiers"]
    assert "Programming Language :: Python :: 3.11" in classifiers
    assert set(classifiers) <= trove_classifiers.classifiers  # an index refuses others
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    assert metadata.get_all("Provides-Extra") == sorted(extras)
    needed = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]
    dependencies = project["dependencies"]
    assert isinstance(dependencies, list)
    assert len(needed) == len(dependencies)


def test_it_has_the_license_and_the_command(wheel: zipfile.ZipFile) -> None:
    assert wheel.read(f"{INFO}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    lines = wheel.read(f"{INFO}/entry_points.txt").decode().splitlines()
    assert lines[0] == "[console_scripts]"
    name, _, target = lines[1].partition(" = ")
    assert name == "centerclip"
    module, _, function = target.partition(":")
    assert callable(getattr(import_module(module), function))
    assert os.fspath(ROOT) not in wheel.read(f"{INFO}/METADATA").decode()
