"""What a bench found, as rows, and a table of them for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from centerclip.errors import ConfigError
from centerclip.lab.bench.machine import Machine
from centerclip.lab.bench.timing import Spread, Timing, ratio

__all__ = [
    "HEADINGS",
    "Goal",
    "Report",
    "Row",
    "at_least",
    "at_most",
    "cells",
    "check_page",
    "speed_row",
    "write_table",
]

HEADINGS = ("what", "here", "against", "figure", "goal", "met")
_WORTH_TELLING = 0.005
_BEGIN, _END = "<!-- table -->", "<!-- end of table -->"


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a figure is to keep."""

    bound: float
    is_floor: bool

    def met(self, figure: float) -> bool:
        """Whether a figure keeps it; NaN never does."""
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
        part: of the bench.
        what: was measured.
        figure: what the goal is about, often a ratio; its quartiles over the rounds.
        unit: of the figure: `x`, `%`, `s`, `B`, or nothing.
        against: the rival.
        ours, rival: the medians that a ratio is of, in `measured_in`: `s` or `B`.
        goal: in the figure's unit; None for what is only told.
        note: what has to be known to understand the figure.
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
    """A row that tells how many times as long a rival takes.

    Args:
        times: what both seconds are multiplied by to be told, such as one over the videos of a batch.
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


@dataclass(frozen=True, slots=True)
class Report:
    """Rows, and all that is needed to get them again.

    `settings` are the options of the run; `began` is an ISO date; `stolen` is the share of the
    processors' time that a host gave to others during a part, from 0 to 1, where the system tells.
    """

    rows: Sequence[Row]
    machine: Machine
    settings: Mapping[str, Any]
    began: str
    seconds: float
    stolen: Mapping[str, float] = field(default_factory=dict)

    def to_markdown(self) -> str:
        """A table for each part, below what machine they are of."""
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items() if value is not None)
        taken = f"{self.began}, in {self.seconds / 60:.0f} minutes"
        parts = [f"Measured {taken}, on {self.machine}.\n\nSettings: {settings}."]
        for part, rows in groupby(self.rows, key=lambda row: row.part):
            stolen = self.stolen.get(part, 0.0)
            lines = [f"### {part}\n"]
            if stolen >= _WORTH_TELLING:
                lines.append(f"The host gave {stolen:.0%} of the processors' time to others.\n")
            lines += [_line(HEADINGS), _line(["---"] * len(HEADINGS))]
            lines += [_line(cells(row)) for row in rows]
            parts.append("\n".join(lines))
        return "\n\n".join(parts)


def cells(row: Row) -> list[str]:
    """A row as the texts below `HEADINGS`."""
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
    """A value to three figures with its unit: `12.3 ms`, `1.05 GB`, `1.48x`, `2.31 %`."""
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


def write_table(reports: Iterable[Report], page: Path) -> None:
    """Put tables in place of the last ones on a Markdown page, between its two markers.

    Raises:
        ConfigError: as `check_page`.
    """
    head, tail = check_page(page)
    tables = "\n\n".join(report.to_markdown() for report in reports)
    page.write_text(f"{head}{_BEGIN}\n\n{tables}\n\n{_END}{tail}", encoding="utf-8")


def check_page(page: Path) -> tuple[str, str]:
    """Give what stands before and after the table of a page.

    Raises:
        ConfigError: the page can't be read, or has not the markers.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{page}: can't be read ({error.strerror}); give a page with a table") from error
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not (begin and end):
        raise ConfigError(f"{page}: the table's place is not marked; put {_BEGIN} and {_END} around it")
    return head, tail


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"
