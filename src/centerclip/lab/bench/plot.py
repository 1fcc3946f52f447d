"""Plots of the bench: time over multiply-adds by schedule, and search time by collection size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from centerclip.errors import ConfigError
from centerclip.lab.bench.report import Row

__all__ = ["check_plots", "plot_all"]

_INK, _FAINT, _OURS, _RIVAL = "#1f2933", "#9aa5b1", "#0b7285", "#e8590c"
_STYLE = {
    "font.size": 11,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.dpi": 150,
}


def plot_all(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw the plots that the rows have data for, `schedules.png` and `search.png`, and return the files.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    check_plots()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    subjects = list(dict.fromkeys(row.details["subject"] for row in rows if "subject" in row.details))
    searches = [row for row in rows if row.part == "search" and row.unit == "s" and row.goal]
    written = []
    with rc_context(_STYLE):
        if subjects:
            figure = Figure(figsize=(5.2 * len(subjects), 4.2), layout="constrained")
            panels = figure.subplots(1, len(subjects), squeeze=False)
            for axes, name in zip(panels[0], subjects, strict=True):
                _draw_schedules(axes, name, [row for row in rows if row.details.get("subject") == name])
            written.append(folder / "schedules.png")
            figure.savefig(written[-1])
        if len(searches) > 1:
            figure = Figure(figsize=(6.4, 4.0), layout="constrained")
            _draw_search(figure.subplots(), searches)
            written.append(folder / "search.png")
            figure.savefig(written[-1])
    return written


def _draw_schedules(axes: Any, name: str, rows: Sequence[Row]) -> None:
    """Draw each schedule's time over its multiply-adds, and the line of proportional time."""
    costs = [(row.details["multiply_adds"] / 1e9, 1000 * (row.ours or 0)) for row in rows]
    points = sorted(zip(costs, [row.details["schedule"] for row in rows], strict=True), reverse=True)
    most, slowest = points[0][0]
    axes.plot([0, most], [0, slowest], color=_FAINT, linestyle=(0, (4, 3)), linewidth=1.2, zorder=1)
    axes.annotate(
        "proportional to none", (0.28 * most, 0.28 * slowest), xytext=(6, -6), textcoords="offset points",
        color=_FAINT, fontsize=9, va="top",
    )  # fmt: skip
    right, side = math.inf, "right"  # of the previous point: its x, and how its text is aligned
    for (cost, time), schedule in points:
        plain = schedule == "none"
        axes.scatter(cost, time, s=46, color=_RIVAL if plain else _OURS, zorder=3)
        # Away from the line, along which the points lie, and from the text of a close neighbor.
        side = "right" if plain or (side == "left" and right - cost < 0.1 * most) else "left"
        place = (-7, 5) if side == "right" else (8, -5)
        right = cost
        axes.annotate(
            schedule, (cost, time), xytext=place, textcoords="offset points", ha=side, va="center",
            color=_INK, fontsize=9,
        )  # fmt: skip
    axes.set(xlim=(0, 1.12 * most), ylim=(0, 1.12 * max(time for (_, time), _ in points)))
    axes.set_title(name)
    axes.set_xlabel("multiply-adds per video (10⁹)")
    axes.set_ylabel("time per video (ms)")


def _draw_search(axes: Any, rows: Sequence[Row]) -> None:
    """Draw median and 95th percentile of search time by collection size, against exact search."""
    sizes = [row.details["windows"] for row in rows]
    lines = (
        ("centerclip, 95th percentile", [1000 * row.figure.median for row in rows], _OURS, (0, (4, 3))),
        ("centerclip, median", [1000 * (row.ours or 0) for row in rows], _OURS, "solid"),
        ("exact search (numpy), median", [1000 * (row.rival or 0) for row in rows], _RIVAL, "solid"),
    )
    for label, values, color, style in lines:
        axes.plot(sizes, values, color=color, linestyle=style, marker="o", markersize=5, label=label)
    axes.set(xscale="log", yscale="log")
    axes.axhline(50, color=_FAINT, linewidth=1)
    axes.annotate(
        "goal for the 95th percentile", (sizes[0], 50), xytext=(0, 3), textcoords="offset points",
        color=_FAINT, fontsize=9, ha="left", va="bottom",
    )  # fmt: skip
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_title("Search time by collection size")
    axes.set_xlabel("windows")
    axes.set_ylabel("ms")
    axes.legend(frameon=False)


def check_plots() -> None:
    """Check that plots can be drawn.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError("plots need matplotlib: pip install 'centerclip[plots]'") from error
