"""`centerclip search` on its way out: clips, a reel, edit lists, a player."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import opentimelineio as otio
import pytest
from command_line import Run, assert_refused

from centerclip.cli import main
from centerclip.video import media_of


@pytest.fixture
def library(tmp_path: Path, model: Path, footage: Path) -> tuple[Path, Path]:
    """A folder with two films, one of which has a hostile name, and its index."""
    folder, place = tmp_path / "my films", tmp_path / "index"
    folder.mkdir()
    shutil.copy(footage / "blue.mp4", folder / "blue.mp4")
    shutil.copy(next(footage.rglob("金閣寺*")), folder / "-it's „gold“; $(rm) 金.mp4")
    assert main(["index", str(folder), "--index", str(place), "--model", str(model)]) == 0
    return folder, place


def test_clips_are_cut_named_and_reported(run: Run, library: tuple[Path, Path]) -> None:
    _, place = library
    args = ("search", "a", "car", "--tail", "--index", place, "--clips", "out/clips")
    done = run(*args, "--json")
    assert done.code == 0, done.err
    assert "Cut 2 clips into out/clips" in done.err
    clips = [Path(hit["clip"]) for hit in done.records]
    assert sorted(Path("out/clips").iterdir()) == clips
    assert [clip.name[:3] for clip in clips] == ["01_", "02_"]
    for clip, hit in zip(clips, done.records, strict=True):
        assert Path(hit["path"]).stem in clip.name
        media = media_of(clip)
        assert media.duration_seconds == pytest.approx(hit["end"] - hit["start"], abs=0.65)
    again = run(*args)
    assert (again.code, len(again.rows)) == (0, 2)
    assert sorted(Path("out/clips").iterdir()) == clips


def test_padding_widens_clips_and_lists(run: Run, library: tuple[Path, Path]) -> None:
    folder, place = library
    film = folder / "blue.mp4"
    args = ("search", "a", "car", "--tail", "--index", place, "--where", "path like '%blue%'")
    whole = run(*args, "--pad", "60", "--clips", "wide", "--otio", "wide.otio")
    assert whole.code == 0, whole.err
    (clip,) = Path("wide").iterdir()
    assert media_of(clip).frames == media_of(film).frames == 20
    (track,) = otio.adapters.read_from_file("wide.otio").tracks
    assert track[0].source_range == track[0].available_range()


def test_lists_and_reel_of_a_search(run: Run, library: tuple[Path, Path]) -> None:
    folder, place = library
    lists = [option for kind in ("edl", "fcpxml", "otio", "csv") for option in (f"--{kind}", f"list.{kind}")]
    done = run("search", "a", "car", "--tail", "--index", place, *lists, "--reel", "reel.mp4")
    assert done.code == 0, done.err
    assert len(done.rows) == 2
    made = otio.adapters.read_from_file("list.otio")
    assert made.name == "a car"
    urls = [clip.media_reference.target_url for clip in made.tracks[0]]
    assert sorted(urls) == sorted(path.as_uri() for path in folder.iterdir())
    frames = [clip.source_range.duration.value for clip in made.tracks[0]]
    events = [
        line for line in Path("list.edl").read_text(encoding="utf-8").splitlines() if line[:3].isdigit()
    ]
    assert len(events) == 2
    assert Path("list.csv").read_text(encoding="utf-8").count("\n") == 3
    assert str(folder) in Path("list.csv").read_text(encoding="utf-8")
    assert media_of(Path("reel.mp4")).frames == sum(frames)
    assert "Joined 2 moments to reel.mp4" in done.err


def test_a_file_that_is_gone_costs_its_own_moment(run: Run, library: tuple[Path, Path]) -> None:
    folder, place = library
    (folder / "blue.mp4").unlink()
    args = ("search", "a", "car", "--tail", "--index", place)
    done = run(*args, "--clips", "clips", "--csv", "list.csv", "--reel", "reel.mp4")
    assert done.code == 3
    assert "1 file failed:" in done.err
    assert "blue.mp4: there is no such file" in done.err
    assert len(list(Path("clips").iterdir())) == 1
    assert Path("list.csv").read_text(encoding="utf-8").count("\n") == 2
    assert "Joined 1 moment" in done.err
    (folder / "-it's „gold“; $(rm) 金.mp4").unlink()
    nothing = run(*args, "--clips", "none", "--csv", "none.csv", "--reel", "none.mp4")
    assert nothing.code == 3
    assert "none.mp4: none of these videos can be read" in nothing.err
    assert sorted(os.listdir()) == ["clips", "list.csv", "none", "reel.mp4"]
    assert os.listdir("none") == []


def test_mistakes_are_found_before_anything_is_made(run: Run, library: tuple[Path, Path]) -> None:
    _, place = library
    Path("taken.csv").write_text("mine", encoding="utf-8")
    for args, message in (
        (["--clips", "taken.csv"], "is a file, not a folder"),
        (["--csv", "taken.csv"], "exists already"),
        (["--edl", "none/list.edl"], "the folder none doesn't exist"),
        (["--reel", "reel.mkv"], "must end with .mp4"),
        (["--pad", "-1"], "--pad"),
        (["--pad", "1", "--paths"], "--pad needs --clips, --reel, --play or an edit list"),
        (["--pick", "1"], "--pick needs --play"),
    ):
        assert_refused(run, message, "search", "x", "--index", place, *args, code=2)
    assert Path("taken.csv").read_text(encoding="utf-8") == "mine"


def test_nothing_found_makes_nothing(run: Run, library: tuple[Path, Path]) -> None:
    _, place = library
    done = run(
        "search", "x", "--index", place, "--where", "duration_seconds > 99", "--clips", "c", "--csv", "l.csv"
    )  # fmt: skip
    assert (done.code, os.listdir()) == (0, [])
    assert "Nothing found" in done.err


def player(folder: Path, name: str, *, code: int = 0) -> Path:
    """Make a program that notes its arguments."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0" "$@" > "{folder}/said"\necho loud\nexit {code}\n')
    path.chmod(0o755)
    return path


def said(folder: Path) -> list[str]:
    return (folder / "said").read_text(encoding="utf-8").splitlines()


def test_a_hit_opens_at_its_moment(
    run: Run, library: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, place = library
    args = ("search", "a", "car", "--tail", "--index", place, "--play")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("centerclip.cli.playing._ELSEWHERE", ())
    assert_refused(run, "install mpv or VLC", *args)
    vlc = player(tmp_path / "bin", "vlc")
    done = run(*args)
    assert (done.code, "loud" in done.out, "loud" in done.err) == (0, False, True)
    best, second = [(row[0], float(row[1])) for row in done.rows]
    assert said(vlc.parent) == [str(vlc), f"--start-time={best[1]:.3f}", best[0]]
    mpv = player(tmp_path / "bin", "mpv")
    assert run(*args, "--pick", "2").code == 0
    assert said(mpv.parent) == [str(mpv), f"--start={second[1]:.3f}", second[0]]
    assert run(*args, "--player", "vlc", "--pad", "99").code == 0
    assert said(vlc.parent)[:2] == [str(vlc), "--start-time=0.000"]
    assert_refused(run, "neither mpv nor vlc", *args, "--player", "sh")
    other = run(*args, "--pick", "9")
    assert (other.code, "only 2 hits" in other.err) == (2, True)
    player(tmp_path / "bin", "mpv", code=4)
    failed = run(*args)
    assert (failed.code, "mpv failed with exit code 4" in failed.err) == (1, True)


@pytest.mark.skipif(shutil.which("xargs") is None, reason="xargs is not installed")
def test_paths_survive_xargs(library: tuple[Path, Path], tmp_path: Path) -> None:
    """The examples in README and docs, with names that have spaces, quotes and a dollar sign."""
    folder, place = library
    mpv = player(tmp_path / "bin", "mpv")
    path = os.pathsep.join([str(mpv.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    command = "centerclip search a car --tail --paths --null | xargs -0 mpv"
    env = {**os.environ, "PATH": path, "CENTERCLIP_INDEX": str(place)}
    done = subprocess.run(command, shell=True, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(said(mpv.parent)[1:]) == sorted(map(str, folder.iterdir()))
    root = Path(__file__).parents[2]
    texts = [root / "README.md", *root.glob("docs/*.md")]
    examples = [
        line for text in texts for line in text.read_text(encoding="utf-8").splitlines() if "| xargs" in line
    ]
    assert examples
    assert all("-0" in line.partition("| xargs")[2].split() for line in examples), examples
