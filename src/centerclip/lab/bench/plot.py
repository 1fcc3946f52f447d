"""The bench's figures as pictures: time against multiply-adds by schedule, and searching by size."""

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
    """Draw what the rows have data for.

    Args:
        folder: gets `schedules.png` and `search.png`.

    Returns:
        The files written.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    by_subject = [
        (name, [row for row in rows if row.details.get("subject") == name])
        for name in dict.fromkeys(row.details["subject"] for row in rows if "subject" in row.details)
    ]
    searches = [row for row in rows if row.part == "search" and row.unit == "s" and row.goal]
    written = []
    if by_subject:
        written.append(_plot_schedules(by_subject, folder / "schedules.png"))
    if len(searches) > 1:
        written.append(_plot_search(searches, folder / "search.png"))
    return written


def _plot_schedules(by_subject: Sequence[tuple[str, Sequence[Row]]], path: Path) -> Path:
    """A panel a model: each schedule's time over its multiply-adds, and where time would follow them."""
    plt = _pyplot()
    with plt.rc_context(_STYLE):
        figure, panels = plt.subplots(
            1, len(by_subject), figsize=(5.2 * len(by_subject), 4.2), squeeze=False, layout="constrained"
        )
        for axes, (name, rows) in zip(panels[0], by_subject, strict=True):
            _draw_schedules(axes, name, rows)
        figure.savefig(path)
        plt.close(figure)
    return path


def _draw_schedules(axes: Any, name: str, rows: Sequence[Row]) -> None:
    points = sorted(
        (
            (made.details["multiply_adds"] / 1e9, 1000 * (made.ours or 0), made.details["schedule"])
            for made in rows
        ),
        reverse=True,
    )
    most, slowest, _ = points[0]
    axes.plot([0, most], [0, slowest], color=_FAINT, linestyle=(0, (4, 3)), linewidth=1.2, zorder=1)
    axes.annotate(
        "in proportion to none", (0.28 * most, 0.28 * slowest), xytext=(6, -6), textcoords="offset points",
        color=_FAINT, fontsize=9, va="top",
    )  # fmt: skip
    right, side = math.inf, "right"  # where the next point to the right lies, and how its text is aligned
    for cost, time, schedule in points:
        plain = schedule == "none"
        axes.scatter(cost, time, s=46, color=_RIVAL if plain else _OURS, zorder=3)
        # Off the line of proportion, which the points lie along, and not on the side of a near neighbor's.
        side = "right" if plain or (side == "left" and right - cost < 0.1 * most) else "left"
        place = (-7, 5) if side == "right" else (8, -5)
        right = cost
        axes.annotate(
            schedule, (cost, time), xytext=place, textcoords="offset points", ha=side, va="center",
            color=_INK, fontsize=9,
        )  # fmt: skip
    axes.set(xlim=(0, 1.12 * most), ylim=(0, 1.12 * max(time for _, time, _ in points)))
    axes.set_title(name)
    axes.set_xlabel("multiply-adds a video (10⁹)")
    axes.set_ylabel("time a video (ms)")


def _plot_search(rows: Sequence[Row], path: Path) -> Path:
    """The median and the 95th percentile of a query by the size of the collection, exact search beside it."""
    plt = _pyplot()
    sizes = [row.details["windows"] for row in rows]
    lines = (
        ("centerclip, 95 of 100 queries", [1000 * row.figure.median for row in rows], _OURS, (0, (4, 3))),
        ("centerclip, median", [1000 * (row.ours or 0) for row in rows], _OURS, "solid"),
        ("every vector (numpy), median", [1000 * (row.rival or 0) for row in rows], _RIVAL, "solid"),
    )
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
        for label, values, color, style in lines:
            axes.plot(sizes, values, color=color, linestyle=style, marker="o", markersize=5, label=label)
        axes.set(xscale="log", yscale="log")
        axes.axhline(50, color=_FAINT, linewidth=1)
        axes.annotate(
            "goal for 95 of 100", (sizes[0], 50), xytext=(0, 3), textcoords="offset points",
            color=_FAINT, fontsize=9, ha="left", va="bottom",
        )  # fmt: skip
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_title("A query by the size of the collection")
        axes.set_xlabel("windows")
        axes.set_ylabel("ms")
        axes.legend(frameon=False)
        figure.savefig(path)
        plt.close(figure)
    return path


def check_plots() -> None:
    """Make sure that plots can be drawn.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    _pyplot()


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise ConfigError("plots need matplotlib: pip install 'centerclip[plots]'") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
