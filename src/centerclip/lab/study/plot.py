"""Recall against cost, an arm a mark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from centerclip.errors import ConfigError
from centerclip.lab.study.results import ArmResult, Study

__all__ = ["plot"]

# Okabe and Ito's palette, which color-blind readers can tell apart; a shape each, for prints in gray.
_MARKS = {
    "none": ("#000000", "*"),
    "kmedoids": ("#0072B2", "o"),
    "spectral": ("#D55E00", "s"),
    "pool": ("#009E73", "^"),
    "sample": ("#E69F00", "v"),
    "merge": ("#CC79A7", "D"),
    "token_shift": ("#56B4E9", "P"),
    "temporal_shift": ("#999999", "X"),
}
_TEMPORAL = " + temporal"
_LABEL = 0.016
"""Room that a schedule's name takes, as a part of the plot's width."""
_SPREAD = 0.006
"""How far apart arms of equal cost are drawn, as a part of the dearest arm's cost."""


def plot(study: Study, path: Path) -> None:
    """Draw text-to-video R@1 with its interval over multiply-adds a video, into a PNG file.

    Raises:
        ConfigError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("plots need matplotlib: pip install 'centerclip[plots]'") from error
    results, costs = study.results, study.costs
    figure = Figure(figsize=(8.4, 4.8), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    names = list(dict.fromkeys(_name(result) for result in results))
    dearest = max(cost.multiply_adds for cost in costs.values()) / 1e9
    several = f"none{_TEMPORAL}" in names  # arms without a reduction
    for place, name in enumerate(names):
        kind, temporal = name.removesuffix(_TEMPORAL), name.endswith(_TEMPORAL)
        color, marker = _MARKS.get(kind, ("#666666", "h"))
        own = [result for result in results if _name(result) == name]
        shift = (place - (len(names) - 1) / 2) * _SPREAD * dearest if name != "none" or several else 0.0
        x = [costs[result.arm.name].multiply_adds / 1e9 + shift for result in own]
        recalls = [result.summary().recall_at_1 for result in own]
        y = [recall.value for recall in recalls]
        spread = [[r.value - r.low for r in recalls], [r.high - r.value for r in recalls]]
        axes.errorbar(
            x, y, yerr=spread, fmt=marker, color=color, ecolor=color, elinewidth=0.8, alpha=0.9,
            markersize=11 if kind == "none" else 6, markerfacecolor="white" if temporal else color, capsize=0,
            label=name,
        )  # fmt: skip
        if name == "none":
            axes.axhline(y[0], color=color, linewidth=0.7, linestyle=":")
    _name_schedules(axes, study)
    axes.set_xlabel("multiply-adds of the vision tower, G a video")
    axes.set_ylabel("text to video R@1, %")
    axes.set_title(study.config.title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _name(result: ArmResult) -> str:
    kind = "none" if result.arm.schedule == "none" else result.arm.reducer
    return f"{kind}{_TEMPORAL}" if result.arm.temporal else kind


def _name_schedules(axes: Any, study: Study) -> None:
    """Write each schedule above the arms that have it, but for those that would meet; the table has all."""
    places = {r.arm.schedule: study.costs[r.arm.name].multiply_adds / 1e9 for r in study.results}
    left, right = axes.get_xlim()
    free = left
    for schedule, x in sorted(places.items(), key=lambda place: place[1]):
        if x < free:
            continue
        free = x + _LABEL * (right - left)
        axes.annotate(
            schedule, (x, 1.0), xycoords=("data", "axes fraction"), xytext=(0, -2),
            textcoords="offset points", rotation=90, ha="center", va="top", fontsize=7, color="#555555",
        )  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.3 * (high - low))
