"""`centerclip search`, `info`, `models` and `export`: piped output, terminals and errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from command_line import Run, assert_refused, in_terminal, without_escapes
from rich.cells import cell_len
from videos import make_video

from centerclip.index import VideoIndex
from centerclip.model import CenterCLIP
from centerclip.model.registry import CPU_MODEL, GPU_MODEL


def test_the_output_formats_agree(run: Run, indexed: Path, footage: Path) -> None:
    args = ("search", "a", "red", "car", "--index", indexed, "--tail")
    lines, objects = run(*args), run(*args, "--json")
    assert lines.code == objects.code == 0
    hits = objects.records
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert {hit["path"] for hit in hits} == {str(path) for path in footage.rglob("*.mp4")}
    for row, hit in zip(lines.rows, hits, strict=True):
        assert row[0] == hit["path"]
        np.testing.assert_allclose([float(x) for x in row[1:3]], [hit["start"], hit["end"]], atol=0.01)
        np.testing.assert_allclose([float(x) for x in row[3:]], [hit["score"], hit["strength"]], atol=0.01)
    assert run(*args, "--paths").out == "".join(f"{hit['path']}\n" for hit in hits)
    assert run(*args, "--null", "--moments").out == "".join(f"{hit['path']}\0" for hit in hits)
    assert lines.err == ""


def test_hits_are_limited_by_number_and_condition(
    run: Run, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CENTERCLIP_INDEX", str(indexed))
    args = ("search", "boat", "--tail")
    assert len(run(*args, "--top", "2").rows) == 2
    where = run(*args, "--where", "duration_seconds > 10")
    assert [Path(row[0]).name for row in where.rows] == ["long one.mp4"]
    nothing = run(*args, "--where", "duration_seconds > 999")
    assert (nothing.code, nothing.out) == (0, "")
    assert "no results match --where 'duration_seconds > 999'. Try" in nothing.err
    early = run(*args, "--before", "1971-01-01")
    assert "no results match --before 1971-01-01. Try" in early.err


def test_queries_can_subtract_and_name_files(run: Run, indexed: Path, footage: Path) -> None:
    shutil.copy(footage / "blue.mp4", "blue.mp4")
    like = run("search", "./blue.mp4", "--index", indexed, "--tail").rows
    unlike = run("search", "-", "./blue.mp4", "--index", indexed, "--tail").rows
    assert Path(like[0][0]).name == Path(unlike[-1][0]).name == "blue.mp4"
    assert float(like[0][3]) > 0.999
    mixed = run("search", "-people + 2:beach - ./blue.mp4", "--index", indexed, "--tail")
    assert (mixed.code, len(mixed.rows)) == (0, 3)


def test_errors_name_the_remedy(
    run: Run, indexed: Path, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    CenterCLIP.from_pretrained(model, schedule="none").save_pretrained(other)
    for args, message in (
        (["x", "--index", tmp_path / "none"], "run `centerclip index PATH` first"),
        (["x"], "run `centerclip index PATH` first"),
        ([" ", "--index", indexed], "the query is empty"),
        (["./nosuch.jpg", "--index", indexed], "File not found"),
        (["x -", "--index", indexed], "needs words after it"),
        (["x", "--where", "duration_seconds >", "--index", indexed], "Compare the columns path, video_id"),
        (["x", "--where", "lenght > 3", "--index", indexed], "Compare the columns path, video_id"),
        (["x", "--model", other, "--index", indexed], f"use that model (--model {model}"),
        (["x", "--model", "openai/clip-vit-base-patch32", "--index", indexed], "the hub can't be reached"),
    ):
        assert_refused(run, message, "search", *args)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    args = ("search", "x", "--model", "openai/clip-vit-base-patch32", "--index", indexed)
    for message in ("is not on this machine and the hub can't be reached", "--model nano"):
        assert_refused(run, message, *args)


def test_info_describes_the_index(run: Run, indexed: Path, model: Path) -> None:
    facts = json.loads(run("info", "--index", indexed, "--json").out)
    stats = VideoIndex(indexed).stats()
    assert facts["index"]["videos"] == stats.videos == 3
    assert facts["index"]["model"]["name"] == str(model)
    assert facts["index"]["failed_files"] == []
    assert facts["versions"].keys() >= {"centerclip", "torch", "av"}
    rows = dict(run("info", "--index", indexed).rows)
    assert rows["videos"] == "3"
    assert rows["model.fingerprint"] == stats.model.fingerprint
    assert rows["version.torch"] == facts["versions"]["torch"]

    none = run("info")
    assert none.code == 0
    assert "There is no index at" in none.err
    assert run("info", "--index", "nowhere").code == 1


def test_models_are_listed(run: Run) -> None:
    rows = run("models").rows
    assert rows[-1][0] == "nano"
    assert len({len(row) for row in rows}) == 1
    records = run("models", "--json").records
    assert [record["name"] for record in records] == [row[0] for row in rows]
    (default,) = (record["name"] for record in records if record["default"])
    assert default in (CPU_MODEL, GPU_MODEL)
    for name in (CPU_MODEL, GPU_MODEL):
        assert name in "".join(run("index", "--help").out.split())


def test_the_index_is_exported(run: Run, indexed: Path, tmp_path: Path) -> None:
    done = run("export", tmp_path / "out", "--index", indexed)
    vectors, rows = (Path(line) for line in done.out.splitlines())
    assert np.load(vectors).shape == (5, 24)
    assert rows.suffix == ".parquet"
    assert run("export", tmp_path / "out", "--index", indexed).code == 1


def test_a_terminal_shows_progress_and_tables(footage: Path, model: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from centerclip.cli import main; videos, place, model = sys.argv[1:]; "
        "codes = [main(['index', videos, '--index', place, '--model', model]), "
        "main(['search', 'a', 'red', 'car', '--tail', '--index', place]), main(['info', '--index', place])]; "
        "sys.exit(any(codes))"
    )
    shown = in_terminal(script, footage, tmp_path / "index", model)
    assert "Indexing" in shown
    assert "3/3 files" in shown
    table = shown[shown.index("score") :]
    assert "████████" in table
    assert "金閣寺 – „gold“.mp4" in table
    assert "\x1b]8;" in table  # a link to the file
    plain = [line for line in without_escapes(shown).splitlines() if "\r" not in line]
    assert max(map(cell_len, plain)) <= 80


def test_search_ends_quietly_when_its_reader_closes_the_pipe(indexed: Path) -> None:
    program = Path(sys.executable).with_name("centerclip")
    left = subprocess.run(
        ["/bin/sh", "-c", '"$0" search x --tail --json --index "$1" | true', program, indexed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (left.returncode, left.stdout, left.stderr) == (0, "", "")


def test_hits_have_dates_and_are_sorted_and_limited_by_them(run: Run, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dated"
    folder.mkdir()
    for name, day, keys in (("spring", "2024-05-01T09:00:00Z", {}), ("summer", "2024-08-01T09:00:00Z", {})):
        make_video(folder / f"{name}.mp4", frames=20, metadata={"creation_time": day}, container_options=keys)
    make_video(folder / "plain.mp4", frames=20)
    os.utime(folder / "plain.mp4", (0, datetime(2024, 6, 1, 12).timestamp()))
    zoned = {"com.apple.quicktime.creationdate": "2024-07-01T18:00:00+0900"}
    keys = {"movflags": "use_metadata_tags"}
    make_video(folder / "phone.mov", frames=20, metadata=zoned, container_options=keys)
    assert run("index", folder, "--index", tmp_path / "i", "--model", model).code == 0

    def names(*args: object) -> list[str]:
        done = run("search", "boat", "--index", tmp_path / "i", "--tail", *map(str, args), "--json")
        assert done.code == 0
        return [Path(hit["path"]).stem for hit in done.records]

    assert names("--sort", "date") == ["summer", "phone", "plain", "spring"]
    assert names("--sort", "oldest") == ["spring", "plain", "phone", "summer"]
    best = names("--top", "2")
    assert sorted(names("--top", "2", "--sort", "date")) == sorted(best)
    assert names("--after", "2024-06-01", "--sort", "oldest", "--before", "2024-07-01") == ["plain", "phone"]
    assert names("--where", "recorded > '2024-07-02'") == ["summer"]

    (folder / "summer.mp4").unlink()
    found = run("search", "boat", "--index", tmp_path / "i", "--tail", "--json", "--sort", "date")
    by_name = {Path(hit["path"]).stem: hit for hit in found.records}
    assert {name: hit["missing"] for name, hit in by_name.items()} == dict.fromkeys(by_name, False) | {
        "summer": True
    }
    assert "1 of these files is missing" in found.err
    assert by_name["phone"]["recorded"] == "2024-07-01T18:00:00+09:00"
    assert by_name["phone"]["recorded_seconds"] == 1719824400.0
    assert by_name["plain"]["recorded"].startswith("2024-06-01T12:00:00")
    sources = {name: hit["recorded_source"] for name, hit in by_name.items()}
    assert sources == dict.fromkeys(by_name, "container") | {"plain": "modified"}
    problem = "'size' is not one of score, date, oldest"
    assert_refused(run, problem, "search", "boat", "--sort", "size", code=2)
    problem = "after='soon' isn't a date: write it like 2026-05-31"
    assert_refused(run, problem, "search", "boat", "--after", "soon")
