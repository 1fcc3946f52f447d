"""`centerclip remove`: forgets files and folders in the index, and never touches the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import Run, assert_refused

from centerclip.index import VideoIndex


@pytest.fixture
def place(indexed: Path, tmp_path: Path) -> Path:
    """A copy of the index of `footage`."""
    return Path(shutil.copytree(indexed, tmp_path / "copy"))


def names(place: Path) -> set[str]:
    return {video.info.path.name for video in VideoIndex(place).videos()}


def test_a_file_is_forgotten_and_stays_on_the_disk(run: Run, place: Path, footage: Path) -> None:
    file = footage / "blue.mp4"
    dry = run("remove", file, "--index", place, "--dry-run")
    assert (dry.code, dry.out) == (0, f"{file}\n")
    assert "Would remove 1 file from the index." in dry.err
    assert "blue.mp4" in names(place)

    done = run("remove", file, "--index", place, "--json")
    assert (done.code, done.records) == (0, [{"path": str(file)}])
    assert "Removed 1 file from the index." in done.err
    assert f"Files that still exist will be indexed again by the next run over {footage}" in done.err
    assert names(place) == {"long one.mp4", "金閣寺 – „gold“.mp4"}
    assert file.exists()
    assert VideoIndex(place).stats().windows == 4
    assert run("info", "--index", place, "--json").records[0]["index"]["videos"] == 2
    assert VideoIndex(place).roots == (footage,)
    assert_refused(run, f"{file}: not in the index {place}", "remove", file, "--index", place)


def test_a_folder_is_forgotten_with_what_is_below_it(run: Run, place: Path, footage: Path) -> None:
    (sibling,) = [footage / "Ferien"]  # begins like a folder of the index
    done = run("remove", footage / "Ferien 2024", sibling, "--index", place)
    assert (done.code, len(done.rows)) == (0, 2)
    assert f"{sibling}: not in the index" in done.err
    assert names(place) == {"blue.mp4"}
    assert len(list(footage.rglob("*.mp4"))) == 3


def test_a_root_is_forgotten_too(run: Run, place: Path, footage: Path) -> None:
    done = run("remove", footage, "--index", place)
    assert "Removed 3 files" in done.err
    assert "indexed again" not in done.err
    assert names(place) == set()
    assert VideoIndex(place).roots == ()
    assert run("search", "x", "--index", place).code == 0


def test_files_that_are_gone_are_forgotten(run: Run, model: Path, footage: Path, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(footage, videos)
    (videos / "bad.mp4").write_text("no video")
    assert run("index", videos, "--index", tmp_path / "i", "--model", model).code == 3
    shutil.rmtree(videos)
    assert len(run("remove", videos, "--index", tmp_path / "i").rows) == 4


def test_there_must_be_an_index(run: Run, tmp_path: Path) -> None:
    assert_refused(run, "run `centerclip index PATH` first", "remove", "a.mp4", "--index", tmp_path / "none")
