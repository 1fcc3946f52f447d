"""Rows as cells, as the table of a page and as plots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from centerclip.errors import ConfigError
from centerclip.lab.bench.machine import this_machine
from centerclip.lab.bench.plot import plot_all
from centerclip.lab.bench.report import (
    Report,
    Row,
    at_least,
    at_most,
    cells,
    quantity,
    speed_row,
    write_table,
)
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
SLOW = Row("search", "95 of 100", Spread(0.06, 0.06, 0.06), "s", goal=at_most(0.05), note="exact")
UNKNOWN = Row("search", "broken", Spread(float("nan"), 0.0, float("inf")), "x", goal=at_most(1))
REPORT = Report([FASTER, SLOW, UNKNOWN], this_machine(), {"rounds": 3, "quick": None}, "2026-01-02", 90.0)


def test_a_table_tells_what_the_host_took_of_the_time_it_is_of() -> None:
    page = replace(REPORT, stolen={"encoder": 0.234, "search": 0.001}).to_markdown()
    assert page.count("The host gave 23% of the processors' time to others.") == 1
    assert page.index("### encoder") < page.index("The host gave") < page.index("| what |")
    assert "host" not in REPORT.to_markdown()


def test_a_row_tells_ratio_medians_and_whether_the_goal_is_met() -> None:
    assert FASTER.figure == Spread(1.6, 1.55, 1.8)
    assert FASTER.met
    assert cells(FASTER) == ["B/32 B6-4,49", "250 ms", "none: 400 ms", "1.6x [1.55x, 1.8x]", "≥ 1.5x", "yes"]
    assert cells(SLOW) == ["95 of 100 (exact)", "", "", "60 ms", "≤ 50 ms", "**no**"]
    assert UNKNOWN.met is False
    assert cells(replace(SLOW, goal=None))[-2:] == ["", ""]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5, "x", "1.5x"),
        (123.456, "x", "123x"),
        (0.0312, "s", "31.2 ms"),
        (2.5e-5, "s", "25 µs"),
        (12.345, "s", "12.3 s"),
        (5.0e8, "B", "500 MB"),
        (1.25e9, "B", "1.25 GB"),
        (0.0, "B", "0 B"),
        (2.349, "%", "2.35 %"),
        (0.9512, "", "0.951"),
        (float("nan"), "x", "?"),
    ],
)
def test_quantities_have_three_figures_and_a_unit(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_the_table_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("# Bench\n<!-- table -->\nold\n<!-- end of table -->\nafter\n", encoding="utf-8")
    for _ in range(2):
        write_table([REPORT], page)
        text = page.read_text(encoding="utf-8")
        assert text.startswith("# Bench\n<!-- table -->\n\nMeasured 2026-01-02, in 2 minutes, on ")
        assert text.endswith("|\n\n<!-- end of table -->\nafter\n")
        assert "old" not in text
        assert text.count("### encoder") == text.count("### search") == 1
        assert "Settings: rounds 3." in text
        assert "| 95 of 100 (exact) |  |  | 60 ms | ≤ 50 ms | **no** |" in text


def test_a_page_without_a_place_for_the_table_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    with pytest.raises(ConfigError, match="can't be read"):
        write_table([REPORT], page)
    page.write_text("<!-- end of table --> <!-- table -->", encoding="utf-8")
    with pytest.raises(ConfigError, match="not marked"):
        write_table([REPORT], page)


def test_plots_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    assert plot_all([SLOW], tmp_path) == []
    searched = [replace(SLOW, ours=0.01, rival=0.02, details={"windows": size}) for size in (10, 1000)]
    written = plot_all([FASTER, *searched], tmp_path)
    assert [path.name for path in written] == ["schedules.png", "search.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
