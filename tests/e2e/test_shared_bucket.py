"""An index in object storage that several machines write to at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from buckets import Storage
from command_line import Run


@pytest.fixture
def place(storage: Storage, request: pytest.FixtureRequest) -> str:
    return f"s3://{storage.bucket(request.node.name)}/index"


def machine(tmp_path: Path, name: str, *args: str | Path) -> subprocess.Popen[str]:
    """Start a command with its own folder for temporary files, as on another machine."""
    (tmp_path / name).mkdir()
    command = [sys.executable, "-m", "centerclip", *map(str, args)]
    environment = {**os.environ, "TMPDIR": str(tmp_path / name)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_machines_index_the_same_folder_at_once(
    run: Run, place: str, model: Path, footage: Path, tmp_path: Path
) -> None:
    args = ("index", footage, "--index", place, "--model", model, "--json")
    waits = machine(tmp_path, "one", *args, "--wait", "300")
    hurries = machine(tmp_path, "two", *args)
    written: Counter[str] = Counter()
    codes = []
    for process in (waits, hurries):
        with process:
            out, err = process.communicate(timeout=300)
        records = [json.loads(line) for line in out.splitlines()]
        written.update(Path(record["path"]).name for record in records if record["state"] == "indexed")
        codes.append(process.returncode)
        if process.returncode:
            assert process is hurries
            assert f"the index {place} is being written by process " in err
            assert records == []
    assert codes[0] == 0
    assert codes[1] in {0, 1}
    assert list(written.values()) == [1, 1, 1]
    (facts,) = run("info", "--index", place, "--json").records
    assert (facts["index"]["videos"], facts["index"]["windows"]) == (3, 5)
    assert facts["index"]["location"] == place
    found = run("search", "blue", "--index", place, "--json")
    assert found.code == 0, found.err
    assert {hit["path"] for hit in found.records} == {str(path) for path in footage.rglob("*.mp4")}
    assert [(name, rows) for name, rows, state, _ in run("repair", "--check", "--index", place).rows][:1] == [
        ("windows", "5")
    ]
