"""`centerclip bench` on a tiny model, and its errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from command_line import Run, assert_refused


@pytest.fixture(autouse=True)
def _threads() -> object:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_results_are_printed_and_written(run: Run, tmp_path: Path) -> None:
    done = run(
        "bench", "encoder", "decode", "search", "train", "--quick", "--rounds", "1", "--threads", "1",
        "--output", tmp_path / "bench",
    )  # fmt: skip
    assert done.code == 0
    assert {len(row) for row in done.rows} == {8}
    assert {row[0] for row in done.rows} == {"encoder", "decode", "search", "train"}
    (exact,) = [row for row in done.rows if row[1].startswith("frames equal")]
    assert exact[2:] == ["100", "100", "100", "%", ">= 100", "yes"]
    assert "measuring decode, 12 frames of a clip of 2 s\n" in done.err
    assert f"Measured {len(done.rows)} figures in " in done.err
    (report,) = json.loads((tmp_path / "bench" / "results.json").read_text(encoding="utf-8"))
    assert [row["what"] for row in report["rows"]] == [row[1] for row in done.rows]
    assert report["settings"]["threads"] == 1
    assert (tmp_path / "bench" / "schedules.png").exists()
    assert (tmp_path / "bench" / "search.png").exists()
    assert list(Path.cwd().iterdir()) == []


def test_own_models_are_measured(run: Run, model: Path) -> None:
    done = run(
        "bench", "encoder", "--model", model, "--schedule", "B2-4,16", "--schedule", "B1-2,16",
        "--rounds", "1", "--threads", "1", "--json",
    )  # fmt: skip
    rows = done.records
    assert done.code == 0
    schedules = [row["details"]["schedule"] for row in rows if "schedule" in row["details"]]
    assert schedules == ["none", "B2-4,16", "B1-2,16"]
    assert {row["goal"] for row in rows} == {None}


def test_errors_name_the_remedy_before_anything_is_measured(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for args, code, message in (
        (
            ["decoding"],
            1,
            "choose from clustering, encoder, gpu, decode",
        ),
        (["encoder", "--quick", "--schedule", "B9-4,16"], 1, "the model has 4 blocks"),
        (["encoder", "--schedule", "B9"], 1, "such as B6-4,49"),
        (["encoder", "--precision", "int4"], 1, "float32, tf32, bfloat16, float16, int8"),
        (["encoder", "--device", "abacus"], 1, "give cpu or auto"),
        (["encoder", "--readme", tmp_path / "none.md"], 2, "needs --output"),
        (["encoder", "--output", tmp_path, "--readme", tmp_path / "none.md"], 1, "give a Markdown page"),
        (["encoder", "--output", tmp_path, "--readme", tmp_path / "file"], 1, "<!-- table -->"),
        (["encoder", "--quick", "--readme", tmp_path / "file"], 2, "can't be used with --quick"),
        (["encoder", "--output", tmp_path / "file"], 1, "File exists"),
        (["--rounds", "0"], 2, "--rounds"),
    ):
        assert_refused(run, message, "bench", *args, code=code)
