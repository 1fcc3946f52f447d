"""Results on disk: what they say, what a new run replaces, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from centerclip.errors import ConfigError
from centerclip.lab.bench.machine import this_machine
from centerclip.lab.bench.report import Report, Row, at_least, at_most
from centerclip.lab.bench.results import join_results, read_results, write_results
from centerclip.lab.bench.timing import Spread

FASTER = Row("encoder", "B/32", Spread(1.6, 1.5, 1.8), "x", goal=at_least(1.5), details={"subject": "B/32"})
SLOW = Row("search", "95 of 100", Spread(0.06, 0.06, 0.06), "s", goal=at_most(0.05))
UNKNOWN = Row("search", "broken", Spread(float("nan"), 0.0, float("inf")), "x", goal=at_most(1.0))
REPORT = Report([FASTER, SLOW], this_machine(), {"rounds": 3, "quick": None}, "2026-01-02", 90.0)


def test_json_says_what_where_and_how(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    write_results([replace(REPORT, rows=[FASTER, SLOW, UNKNOWN])], file)
    (told,) = json.loads(file.read_text(encoding="utf-8"))
    assert set(told) == {"rows", "machine", "settings", "began", "seconds", "stolen"}
    row_keys = {"part", "what", "figure", "unit", "against", "ours", "rival", "measured_in", "goal", "note"}
    assert {frozenset(row) for row in told["rows"]} == {frozenset(row_keys | {"details", "met"})}
    assert told["rows"][0]["figure"] == {"median": 1.6, "low": 1.5, "high": 1.8}
    assert [row["met"] for row in told["rows"]] == [True, False, False]
    assert told["rows"][2]["figure"] == {"median": "nan", "low": 0.0, "high": "inf"}
    assert told["machine"]["cores"] >= 1
    assert {"torch", "transformers", "av", "lancedb"} <= set(told["machine"]["versions"])
    (read,) = read_results(file, quick=False)
    assert [str(row) for row in read.rows] == [str(row) for row in (FASTER, SLOW, UNKNOWN)]


def test_a_run_takes_the_place_of_its_own_parts(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    assert read_results(file, quick=False) == []
    write_results([REPORT], file)
    earlier = read_results(file, quick=False)
    assert earlier == [REPORT]
    again = replace(REPORT, rows=[replace(SLOW, figure=Spread(0.04, 0.04, 0.04))], began="2026-01-03")
    joined = join_results(earlier, again)
    assert joined == [replace(REPORT, rows=[FASTER]), again]
    assert join_results(joined, REPORT) == [REPORT]


@pytest.mark.parametrize("text", ["", "{}", '[{"rows": 1}]'])
def test_what_is_no_results_is_not_overwritten(text: str, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"results\.json holds no results of this version.*--output"):
        read_results(file, quick=False)
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("quick", [False, True])
def test_quick_figures_stay_among_themselves(quick: bool, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    write_results([replace(REPORT, settings={"quick": quick or None})], file)
    assert len(read_results(file, quick=quick)) == 1
    with pytest.raises(ConfigError, match="choose another --output"):
        read_results(file, quick=not quick)
