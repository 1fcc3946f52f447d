"""Rows as cells, as the table of a page, as plots, and as results on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from centerclip.errors import ConfigError
from centerclip.lab.bench.machine import this_machine
from centerclip.lab.bench.plot import plot_all
from centerclip.lab.bench.report import (
    BenchReport,
    Row,
    at_least,
    at_most,
    cells,
    memory_row,
    quantity,
    speed_row,
    write_table,
)
from centerclip.lab.bench.results import join_results, read_results, write_results
from centerclip.lab.bench.timing import Spread, Timing

FASTER = speed_row(
    "encoder",
    "B/32 B6-4,49",
    Timing((0.5, 0.5, 0.5), (1.0, 1.0, 1.0)),
    against="none",
    rival=Timing((0.75, 0.8, 1.0), (1.4, 1.5, 1.6)),
    goal=at_least(1.5),
    times=0.5,
    subject="B/32",
    schedule="B6-4,49",
    multiply_adds=36e9,
)
SLOW = Row("search", "95th percentile", Spread(0.06, 0.06, 0.06), "s", goal=at_most(0.05), note="exact")
UNKNOWN = Row("search", "broken", Spread(float("nan"), 0.0, float("inf")), "x", goal=at_most(1.0))
REPORT = BenchReport(
    [FASTER, SLOW, UNKNOWN], this_machine(), {"rounds": 3, "quick": None}, "2026-01-02", 90.0
)


def test_cells_show_medians_ratio_and_goal() -> None:
    assert FASTER.figure == Spread(1.6, 1.55, 1.8)
    assert cells(FASTER) == ["B/32 B6-4,49", "250 ms", "none: 400 ms", "1.6x [1.55x, 1.8x]", "≥ 1.5x", "yes"]
    assert cells(SLOW) == ["95th percentile (exact)", "", "", "60 ms", "≤ 50 ms", "**no**"]
    assert cells(replace(SLOW, goal=None))[-2:] == ["", ""]
    assert cells(memory_row("train", "kept", 3e6, 4e6, against="none")) == [
        "kept", "3 MB", "none: 4 MB", "0.75x", "", "",
    ]  # fmt: skip
    assert (FASTER.met, SLOW.met, UNKNOWN.met) == (True, False, False)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.5, "x", "1.5x"), (123.456, "x", "123x"), (0.0312, "s", "31.2 ms"), (2.5e-5, "s", "25 µs"),
     (12.345, "s", "12.3 s"), (5.0e8, "B", "500 MB"), (1.25e9, "B", "1.25 GB"), (0.0, "B", "0 B"),
     (2.349, "%", "2.35 %"), (0.9512, "", "0.951"), (float("nan"), "x", "?")],
)  # fmt: skip
def test_quantities_have_three_digits_and_a_unit(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_tables_replace_those_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("# Bench\n<!-- table -->\nold\n<!-- end of table -->\nafter\n", encoding="utf-8")
    for _ in range(2):
        write_table([replace(REPORT, stolen={"encoder": 0.234, "search": 0.001})], page)
        text = page.read_text(encoding="utf-8")
        assert text.startswith("# Bench\n<!-- table -->\n\nMeasured 2026-01-02, in 2 minutes, on ")
        assert text.endswith("|\n\n<!-- end of table -->\nafter\n")
        assert "old" not in text
        assert text.count("### encoder") == text.count("### search") == 1
        assert "Settings: rounds 3." in text
        assert "| 95th percentile (exact) |  |  | 60 ms | ≤ 50 ms | **no** |" in text
        assert text.count("The host gave 23% of the CPU time to others.") == text.count("The host") == 1
        assert text.index("### encoder") < text.index("The host gave") < text.index("| what |")


def test_only_plots_with_data_are_drawn(tmp_path: Path) -> None:
    assert plot_all([SLOW], tmp_path) == []
    searched = [replace(SLOW, ours=0.01, rival=0.02, details={"windows": size}) for size in (10, 1000)]
    written = plot_all([FASTER, *searched], tmp_path)
    assert [path.name for path in written] == ["schedules.png", "search.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_json_has_all_fields(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    write_results([REPORT], file)
    (written,) = json.loads(file.read_text(encoding="utf-8"))
    assert set(written) == {"rows", "machine", "settings", "began", "seconds", "stolen"}
    row_keys = {"part", "what", "figure", "unit", "against", "ours", "rival", "measured_in", "goal", "note"}
    assert {frozenset(row) for row in written["rows"]} == {frozenset(row_keys | {"details", "met"})}
    assert written["rows"][0]["figure"] == {"median": 1.6, "low": 1.55, "high": 1.8}
    assert [row["met"] for row in written["rows"]] == [True, False, False]
    assert written["rows"][2]["figure"] == {"median": "nan", "low": 0.0, "high": "inf"}
    assert written["machine"]["cores"] >= 1
    assert {"torch", "transformers", "av", "lancedb"} <= set(written["machine"]["versions"])
    (read,) = read_results(file, quick=False)
    assert [str(row) for row in read.rows] == [str(row) for row in REPORT.rows]


def test_a_run_replaces_only_the_parts_it_measured(tmp_path: Path) -> None:
    file, run = tmp_path / "results.json", replace(REPORT, rows=[FASTER, SLOW])
    assert read_results(file, quick=False) == []
    write_results([run], file)
    earlier = read_results(file, quick=False)
    assert earlier == [run]
    again = replace(run, rows=[replace(SLOW, figure=Spread(0.04, 0.04, 0.04))], began="2026-01-03")
    joined = join_results(earlier, again)
    assert joined == [replace(run, rows=[FASTER]), again]
    assert join_results(joined, run) == [run]


@pytest.mark.parametrize("text", ["", "{}", '[{"rows": 1}]'])
def test_other_files_are_not_overwritten(text: str, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"results\.json isn't a results file of this version.*--output"):
        read_results(file, quick=False)


@pytest.mark.parametrize("quick", [False, True])
def test_quick_figures_are_not_mixed_with_others(quick: bool, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    write_results([replace(REPORT, rows=[SLOW], settings={"quick": quick or None})], file)
    assert len(read_results(file, quick=quick)) == 1
    with pytest.raises(ConfigError, match="choose another --output"):
        read_results(file, quick=not quick)
