"""`centerclip repair`, and what other commands say about a damaged index."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from random_videos import new_index, random_video

from centerclip.cli import main
from centerclip.index import VideoIndex
from centerclip.index.head import HEAD
from centerclip.index.lock import writer_lock
from centerclip.index.versions import manifests


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    index = new_index(tmp_path / "index", random_video("/v/0.mp4"))
    with index.writer() as writer:
        writer.add([random_video("/v/1.mp4")])
        writer.finish()
    return index


def damage(index: VideoIndex) -> None:
    os.truncate(next(iter(manifests(index.location, "windows").values())), 0)


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, list[str], str]:
    code = main([*args])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def test_a_good_index(index: VideoIndex, capsys: pytest.CaptureFixture[str]) -> None:
    for check in ([], ["--check"], ["--dry-run"]):
        code, lines, err = run(capsys, "repair", "--index", index.location, *check)
        assert code == 0
        assert lines == [
            "windows\t4\tgood\t",
            "pictures\t8\tgood\t",
            "videos\t2\tgood\t",
            "cues\t0\tgood\t",
            "transcripts\t0\tgood\t",
            "meta\t4\tgood\t",
        ]
        assert err == "The index is good: 18 rows read.\n"


def test_a_damaged_index_is_checked_and_mended(index: VideoIndex, capsys: pytest.CaptureFixture[str]) -> None:
    damage(index)
    code, lines, err = run(capsys, "repair", "--check", "--index", index.location)
    assert code == 1
    assert lines[0] == "windows\t2\tdamaged\tits newest state can't be read"
    assert lines[2] == "videos\t2\tdamaged\tfiles with other rows than they should have: 1"
    assert f"To mend it: centerclip repair --index {index.location}" in err
    code, lines, err = run(capsys, "repair", "--json", "--index", index.location)
    assert code == 0
    tables = {row["table"]: row for row in map(json.loads, lines)}
    assert tables["windows"] == {
        "table": "windows",
        "rows": 2,
        "state": "mended",
        "detail": "its newest state can't be read; an older state of it is used",
    }
    assert (tables["videos"]["rows"], tables["pictures"]["state"]) == (1, "good")
    assert err == "Mended. To encode files again that lost something: centerclip index PATH\n"
    assert run(capsys, "repair", "--check", "--index", index.location)[0] == 0


def test_other_commands_warn_and_go_on(index: VideoIndex, capsys: pytest.CaptureFixture[str]) -> None:
    damage(index)
    code, lines, err = run(capsys, "info", "--index", index.location)
    assert code == 0
    assert "windows\t2" in lines
    (line,) = err.splitlines()
    assert line.startswith(f"warning: the index {index.location} is damaged: a power cut or a faulty disk")
    assert line.endswith(f"Run `centerclip repair --index {index.location}`")


def test_what_cannot_be_mended(index: VideoIndex, capsys: pytest.CaptureFixture[str]) -> None:
    for file in [Path(index.location, HEAD), *manifests(index.location, "meta").values()]:
        os.truncate(file, 0)
    code, lines, err = run(capsys, "repair", "--index", index.location)
    assert (code, lines) == (1, [])
    assert "can't be mended" in err
    assert "Delete the index, and index the videos again" in err
    code, _, err = run(capsys, "repair", "--index", f"{index.location}-other")
    assert code == 1
    assert "there is no index" in err


def test_it_waits_for_nobody(index: VideoIndex, capsys: pytest.CaptureFixture[str]) -> None:
    with writer_lock(index.location, wait_seconds=0):
        code, _, err = run(capsys, "repair", "--index", index.location)
        assert code == 1
        assert "is being written by process" in err
        assert run(capsys, "repair", "--check", "--index", index.location)[0] == 0
