"""`centerclip pretrained` on a tiny model, and its errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Run, assert_refused
from tiny_models import clip_model
from videos import make_video

from centerclip.model import CenterCLIP


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    CenterCLIP(clip_model(), "none", frames=6).save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(2):
        make_video(folder / f"{number}.mp4", frames=20 + 6 * number)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def test_variants_are_printed_and_written(run: Run, tiny: Path, clips: Path) -> None:
    page = Path("page.md")
    page.write_text("<!-- pretrained -->\n<!-- end of pretrained -->\n")
    given = (
        "pretrained",
        clips,
        "--model",
        tiny,
        "--cache",
        "cache",
        "--schedule",
        "B2-3,8",
        "--device",
        "cpu",
    )
    done = run(*given, "--reducer", "kmedoids,kmedoids(weighted=true)", "--document", page)
    assert done.code == 0
    assert [row[:3] for row in done.rows] == [
        ["none", "none", "6"], ["none", "none", "4"], ["none", "none", "3"], ["none", "none", "2"],
        ["B2-3,8", "kmedoids", "6"], ["B2-3,8", "kmedoids(weighted=true)", "6"],
    ]  # fmt: skip
    assert {len(row) for row in done.rows} == {4 + 6 * 3}
    assert "broken.mp4: " in done.err
    assert page.read_text().count("\n| ") == 7
    again = run(*given, "--reducer", "kmedoids", "--fewer", "3", "--json")
    rows = [json.loads(line) for line in again.out.splitlines()]
    assert [(row["reducer"], row["frames"]) for row in rows] == [("none", 6), ("none", 3), ("kmedoids", 6)]


def test_mistakes_are_found_first(run: Run, tiny: Path, clips: Path) -> None:
    given = ("pretrained", clips, "--model", tiny)
    assert_refused(run, "write B<block>-<segments>,<tokens>", *given, "--schedule", "6-4,49")
    assert_refused(run, "lacks the lines", *given, "--document", tiny / "config.json")
    assert_refused(run, "give one", *given, tiny, "--dataset", "manifest")
