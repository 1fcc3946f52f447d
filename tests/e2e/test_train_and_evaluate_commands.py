"""`centerclip train`, `evaluate`, `compare` and `demo`, on a toy world with a tiny model."""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from command_line import RECIPE, Run, assert_refused

from centerclip.lab.toy_world import library, library_moments, render_library, render_toy_world


@pytest.fixture(scope="module")
def toy_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_toy_world(tmp_path_factory.mktemp("toy"), train=4, val=2, test=4, workers=1)


def test_a_recipe_is_trained_and_its_model_evaluated(run: Run, toy_world: Path) -> None:
    Path("recipe.toml").write_text(RECIPE.replace("_every = 4", "_every = 2"), encoding="utf-8")
    Path("toy").symlink_to(toy_world)
    shorter = ("--set", "optimization.steps=3")
    trained = run("train", "--config", "recipe.toml", *shorter, "--json")
    *steps, last = trained.records
    assert (trained.code, last) == (0, {"model": "run/best"})
    assert [step["step"] for step in steps] == [1, 2, 3]
    assert [step["recall"] is None for step in steps] == [True, False, False]
    assert "step 3 of 3: loss" in trained.err
    again = run("train", "--config", "recipe.toml", *shorter, "--device", "cpu")
    assert (again.code, again.out) == (0, "run/best\n")
    longer = run("train", "--config", "recipe.toml")
    assert (longer.code, longer.out) == (1, "")
    assert "another recipe (optimization.steps was 3, now 30): continue with" in longer.err
    assert run("evaluate", "--dataset", "toy-world", "--videos", "toy", "--model", "run/last").code == 0

    args = ("evaluate", "--dataset", "toy-world", "--videos", "toy", "--model", "run/best")
    schedules = ("--schedule", "none", "--schedule", "B2-2,4", "--output", "report.json")
    evaluated = run(*args, *schedules, "--json")
    reports = evaluated.records
    assert evaluated.code == 0
    assert [report["schedule"] for report in reports] == ["none", "B2-2,4"]
    assert reports[0]["text_to_video"]["recall_at_5"] == {"value": 100.0, "low": 100.0, "high": 100.0}
    whole = json.loads(Path("report.json").read_text(encoding="utf-8"))
    assert len(whole["results"][0]["text_to_video_ranks"]) == reports[0]["captions"] == 8
    assert len(whole["results"][0]["video_to_text_ranks"]) == reports[0]["videos"] == 4
    how = whole["run"]
    assert how["command"].startswith("centerclip ")
    assert datetime.fromisoformat(how["date"]).tzinfo is not None
    assert how["machine"]
    assert (how["encoded"], how["videos_per_second"] > 0) == (4, True)
    assert re.fullmatch("[0-9a-f]{16}", whole["annotations_hash"])
    assert reports[1]["annotations_hash"] == whole["annotations_hash"]

    table = run("pack", "--config", "recipe.toml", "--output", "frames.lance")
    assert (table.code, table.out) == (0, "")
    assert "6 videos added to frames.lance." in table.err
    packed = ("--set", "data.videos=", "--set", "data.annotations=toy", "--set", "data.frames=frames.lance")
    assert run("train", "--config", "recipe.toml", *packed, *shorter, "--output", "packed").code == 0

    differences = run("compare", "report.json")
    assert differences.code == 0
    assert {tuple(row[:2]) for row in differences.rows} == {("none", "B2-2,4 kmedoids")}
    assert {len(row) for row in differences.rows} == {8}
    assert "toy-world test: 8 captions and 4 videos paired, 1 comparison." in differences.err


def test_options_of_evaluate(run: Run, toy_world: Path, model: Path) -> None:
    args = ("evaluate", "--dataset", "toy-world", "--videos", toy_world, "--model", model, "--cache", "cache")
    rows = run(*args, "--reducer", "pool,sample", "--rescore", "csls", "--rescore", "qb-norm").rows
    assert list(dict.fromkeys(tuple(row[:4]) for row in rows)) == [
        ("B2-4,16", reducer, rescoring, direction)
        for reducer in ("pool", "sample")
        for rescoring in ("none", "csls", "qb-norm")
        for direction in ("text to video", "video to text")
        if (rescoring, direction) != ("qb-norm", "video to text")
    ]
    assert {len(row) for row in rows} == {8}
    options = ("--reducer", "pool", "--rescore", "qb-norm", "--protocol", "group", "--frames", "8")
    plain, rescored = run(*args, *options, "--json").records
    assert (plain["protocol"], plain["rescoring"], plain["bank"]) == ("group", "none", None)
    assert (plain["frames"], plain["max_text_tokens"]) == (8, 32)
    assert (rescored["rescoring"], rescored["transductive"], rescored["bank"]) == ("qb-norm", False, 16)
    assert rescored["video_to_text"] is None
    (still,) = run(*args, "--schedule", "none", "--frames", "1", "--json").records  # too few for B2-4,16
    assert (still["schedule"], still["frames"]) == ("none", 1)


def test_a_set_is_evaluated_with_the_frames_of_its_protocol(run: Run, toy_world: Path, model: Path) -> None:
    Path("videos").mkdir()
    stories = {}
    for number, name in enumerate(("v_one", "v_two")):
        (Path("videos") / f"{name}.mp4").symlink_to(toy_world / f"test/{number:06}.mp4")
        stories[name] = {"duration": 3.0, "timestamps": [[0, 3]], "sentences": [f"Scene {number}."]}
    Path("videos/val_1.json").write_text(json.dumps(stories))
    args = ("evaluate", "--dataset", "activitynet", "--videos", "videos", "--model", model, "--json")
    usual, fewer = run(*args), run(*args, "--frames", "12")
    assert [run.records[0]["frames"] for run in (usual, fewer)] == [60, 12]
    assert "Published figures" not in usual.err
    assert "Published figures for activitynet are for 60 frames per video, not 12." in fewer.err


def test_videos_that_are_left_out_are_listed(run: Run, toy_world: Path, model: Path, tmp_path: Path) -> None:
    world = shutil.copytree(toy_world, tmp_path / "world")
    (world / "test/000000.mp4").unlink()
    (world / "test/000001.mp4").write_bytes(b"no video")
    args = ("evaluate", "--dataset", "toy-world", "--videos", world, "--model", model)
    assert_refused(run, "1 of 4 videos", *args)
    done = run(*args, "--allow-missing", "--json")
    (report,) = done.records
    assert done.code == 0
    assert (report["videos"], report["missing"]) == (2, ["test-000000", "test-000001"])
    assert [Path(file["path"]).name for file in report["failed"]] == ["000001.mp4"]
    assert "2 videos left out" in done.err
    assert "000001.mp4: " in done.err
    render_toy_world(world, train=4, val=2, test=4, workers=1)
    (world / "test/000001.mp4").write_bytes(b"no video")
    assert_refused(run, "allow missing videos to go on without it", *args)


def test_errors_name_the_remedy(run: Run, toy_world: Path, model: Path, tmp_path: Path) -> None:
    Path("recipe.toml").write_text(RECIPE.replace("steps", "stebs"), encoding="utf-8")
    evaluate = ("evaluate", "--model", model, "--dataset")
    for args, message in (
        (["train", "--config", "none.toml"], "none.toml"),
        (["train", "--config", "recipe.toml"], "optimization.stebs"),
        (["train", "--config", "recipe.toml", "--set", "steps"], "'steps' isn't a setting"),
        ([*evaluate, "toy-world", "--videos", toy_world, "--frames", "3"], "use more frames, or a schedule"),
        ([*evaluate, "toy"], "toy-world"),
        ([*evaluate, "toy-world"], "the folder of its videos"),
        ([*evaluate, "toy-world", "--videos", tmp_path], "Render it with"),
        ([*evaluate, "toy-world", "--videos", toy_world, "--split", "all"], "test, val, train"),
        ([*evaluate, "toy-world", "--videos", toy_world, "--schedule", "B2"], "such as B6-4,49"),
        ([*evaluate, "toy-world", "--videos", toy_world, "--reducer", "kmeans"], "'kmeans' is unknown"),
        ([*evaluate, "toy-world", "--videos", toy_world, "--rescore", "dls"], "'dls' is unknown"),
        ([*evaluate, "toy-world", "--videos", toy_world, "--protocol", "best"], "caption, group"),
        ([*evaluate, "toy-world", "--videos", toy_world, "--output", "no/r.json"], "folder not found: no"),
        (
            [*evaluate, "toy-world", "--videos", toy_world, "--split", "train", "--rescore", "qb-norm"],
            "trained",
        ),
        (["compare", "recipe.toml"], "report of this version"),
        (["compare", "none.json"], "none.json: can't be read"),
        (["demo", "--model", model, "--videos", tmp_path / "none"], "there is no such file or folder"),
    ):
        assert_refused(run, message, *args)


def test_the_demo_checks_what_it_finds(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "SIZE", (120, 160))  # at full size, drawing takes most of a minute
    drawn = render_library(tmp_path / "demo" / "library", workers=1)
    done = run("demo", "--folder", tmp_path / "demo")
    assert done.code == 0
    assert len({row[0] for row in done.rows}) == 3
    assert "nano is a toy model" in done.err
    assert "Indexed 30 videos" in done.err
    assert "3 of 3 searches found the right moment first." in done.err
    assert "centerclip index ~/Videos" in done.err
    moments = library_moments(drawn)
    for query, path, start, end, _, verdict in done.rows:
        middle, name = (float(start) + float(end)) / 2, str(Path(path).relative_to(drawn))
        (shown,) = (m for m in moments if m.video == name and m.start_seconds <= middle < m.end_seconds)
        right = any(thing in query for thing in shown.things) and shown.place in query
        assert verdict == ("right" if right else "wrong")
    again = run("demo", "--folder", tmp_path / "demo")
    assert again.rows == done.rows
    assert "Up to date: 30 videos unchanged." in again.err
    assert list(Path.cwd().iterdir()) == []


def test_the_demo_searches_own_videos(run: Run, model: Path, footage: Path) -> None:
    done = run("demo", "--model", model, "--videos", footage)
    assert done.code == 0
    assert len({query for query, *_ in done.rows}) == 3
    assert all(Path(path).is_relative_to(footage) for _, path, _, _, _ in done.rows)
