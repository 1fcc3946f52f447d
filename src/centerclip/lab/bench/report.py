"""Results of the bench as rows, and their table in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from centerclip.atomic import write_atomically
from centerclip.errors import ConfigError
from centerclip.lab.bench.machine import Machine
from centerclip.lab.bench.timing import Spread, Timing, ratio

__all__ = [
    "HEADINGS",
    "BenchReport",
    "Goal",
    "Row",
    "at_least",
    "at_most",
    "cells",
    "check_page",
    "memory_row",
    "speed_row",
    "write_table",
]

HEADINGS = ("what", "here", "against", "figure", "goal", "met")
_SHOWN_STOLEN = 0.005
_BEGIN, _END = "<!-- table -->", "<!-- end of table -->"


@dataclass(frozen=True, slots=True)
class Goal:
    """A lower bound (`is_floor`) or upper bound for a figure."""

    bound: float
    is_floor: bool

    def met(self, figure: float) -> bool:
        """Whether a figure is within the bound; NaN never is."""
        return figure >= self.bound if self.is_floor else figure <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.is_floor else '<='} {self.bound:g}"


def at_least(bound: float) -> Goal:
    return Goal(bound, is_floor=True)


def at_most(bound: float) -> Goal:
    return Goal(bound, is_floor=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        part: the bench part.
        what: what was measured.
        figure: the result, often a ratio, with its quartiles over the rounds.
        unit: of the figure: `x`, `%`, `s`, `B`, or empty.
        against: the rival.
        ours, rival: the two medians behind a ratio, in `measured_in`: `s` or `B`.
        goal: bound for the figure; None for figures without one.
        note: explains the figure.
        details: more values, for plots and programs.
    """

    part: str
    what: str
    figure: Spread
    unit: str
    against: str = ""
    ours: float | None = None
    rival: float | None = None
    measured_in: str = "s"
    goal: Goal | None = None
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.goal.met(self.figure.median)


def speed_row(
    part: str,
    what: str,
    ours: Timing,
    *,
    against: str,
    rival: Timing,
    goal: Goal | None = None,
    times: float = 1.0,
    note: str = "",
    **details: Any,
) -> Row:
    """A row whose figure is how many times as long the rival takes.

    Args:
        times: factor for both displayed times, such as 1 / videos for the time per video of a batch.
    """
    return Row(
        part,
        what,
        ratio(rival, ours),
        "x",
        against=against,
        ours=ours.wall.median * times,
        rival=rival.wall.median * times,
        goal=goal,
        note=note,
        details={"cpu_ratio": asdict(ratio(rival, ours, cpu=True)), **details},
    )


def memory_row(
    part: str, what: str, ours: float, rival: float, *, against: str, goal: Goal | None = None, note: str = ""
) -> Row:
    """A row whose figure is the ratio of two sizes in bytes."""
    figure = Spread.of([ours / max(1, rival)])
    return Row(part, what, figure, "x", against, ours, rival, measured_in="B", goal=goal, note=note)


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Rows, and everything needed to reproduce them.

    Attributes:
        settings: options of the run.
        began: ISO date.
        stolen: by part, the fraction of CPU time that the host gave to others, where the system reports it.
    """

    rows: Sequence[Row]
    machine: Machine
    settings: Mapping[str, Any]
    began: str
    seconds: float
    stolen: Mapping[str, float] = field(default_factory=dict)

    def to_markdown(self) -> str:
        """Describe the machine and the settings, followed by one table per part."""
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items() if value is not None)
        taken = f"{self.began}, in {self.seconds / 60:.0f} minutes"
        parts = [f"Measured {taken}, on {self.machine}.\n\nSettings: {settings}."]
        for part, rows in groupby(self.rows, key=lambda row: row.part):
            stolen = self.stolen.get(part, 0.0)
            lines = [f"### {part}\n"]
            if stolen >= _SHOWN_STOLEN:
                lines.append(f"The host gave {stolen:.0%} of the CPU time to others.\n")
            table = [HEADINGS, ["---"] * len(HEADINGS), *map(cells, rows)]
            parts.append("\n".join([*lines, *(f"| {' | '.join(line)} |" for line in table)]))
        return "\n\n".join(parts)


def cells(row: Row) -> list[str]:
    """Format a row as the texts below `HEADINGS`."""
    rival = "" if row.rival is None else quantity(row.rival, row.measured_in)
    bound = ""
    if row.goal is not None:
        bound = f"{'≥' if row.goal.is_floor else '≤'} {quantity(row.goal.bound, row.unit)}"
    low, high = quantity(row.figure.low, row.unit), quantity(row.figure.high, row.unit)
    spread = f" [{low}, {high}]" if row.figure.low != row.figure.high else ""
    return [
        f"{row.what} ({row.note})" if row.note else row.what,
        "" if row.ours is None else quantity(row.ours, row.measured_in),
        " ".join(filter(None, (f"{row.against}:" if row.against and rival else row.against, rival))),
        quantity(row.figure.median, row.unit) + spread,
        bound,
        {None: "", True: "yes", False: "**no**"}[row.met],
    ]


def quantity(value: float, unit: str) -> str:
    """Format a value with three significant digits and its unit: `12.3 ms`, `1.05 GB`, `1.48x`, `2.31 %`."""
    if not math.isfinite(value):
        return "?"
    if unit == "s" and abs(value) < 1:
        value, unit = (value * 1000, "ms") if abs(value) >= 1e-3 else (value * 1e6, "µs")
    if unit == "B":
        power = min(3, int(math.log10(max(abs(value), 1)) // 3))
        value, unit = value / 1000**power, ("B", "kB", "MB", "GB")[power]
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:,.{min(decimals, 3)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text}{unit}" if unit == "x" else f"{text} {unit}".rstrip()


def write_table(reports: Iterable[BenchReport], page: Path) -> None:
    """Replace the tables on a Markdown page, between its two markers.

    Raises:
        ConfigError: see `check_page`.
    """
    head, tail = check_page(page)
    tables = "\n\n".join(report.to_markdown() for report in reports)
    write_atomically(page, f"{head}\n\n{tables}\n\n{tail}")


def check_page(page: Path, begin: str = _BEGIN, end: str = _END) -> tuple[str, str]:
    """Read what comes before and after the results on a Markdown page, including the markers.

    Raises:
        ConfigError: the page can't be read, or lacks the markers.
    """
    try:
        head, begun, rest = page.read_text(encoding="utf-8").partition(begin)
    except OSError as error:
        raise ConfigError(f"can't read {page} ({error.strerror}): give a Markdown page") from error
    _, ended, tail = rest.partition(end)
    if not (begun and ended):
        raise ConfigError(f"{page} lacks the lines {begin} and {end}: add them where the results should go")
    return head + begin, end + tail
