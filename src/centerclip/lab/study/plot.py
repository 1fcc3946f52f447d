"""Recall against cost, a variant a mark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from centerclip.clustering.reducers import REDUCERS
from centerclip.errors import ConfigError
from centerclip.lab.study.results import Study, VariantResult

__all__ = ["plot"]

# Okabe and Ito's palette, which color-blind readers can tell apart; each with its own shape, for prints in
# gray.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#999999")
_SHAPES = "os^vDPX"
_TEMPORAL = " + temporal"
_LABEL = 0.016
"""Room that a schedule's name takes, as a part of the plot's width."""
_SPREAD = 0.006
"""How far apart variants of equal cost are drawn, as a part of the dearest variant's cost."""


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
    marks = _marks(names)
    dearest = max(cost.multiply_adds for cost in costs.values()) / 1e9
    several = f"none{_TEMPORAL}" in names  # variants without a reduction
    for place, name in enumerate(names):
        kind, temporal = name.removesuffix(_TEMPORAL), name.endswith(_TEMPORAL)
        color, marker = marks[kind]
        own = [result for result in results if _name(result) == name]
        shift = (place - (len(names) - 1) / 2) * _SPREAD * dearest if name != "none" or several else 0.0
        x = [costs[result.variant.name].multiply_adds / 1e9 + shift for result in own]
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


def _marks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A color and a shape for each reducer; the built-in ones have the same in every plot."""
    kinds = [name.removesuffix(_TEMPORAL) for name in names]
    own = sorted({*kinds} - {*REDUCERS, "none"})
    marks = zip((*REDUCERS, *own), cycle(zip(_COLORS, _SHAPES, strict=True)), strict=False)
    return {"none": ("#000000", "*"), **dict(marks)}


def _name(result: VariantResult) -> str:
    return f"{result.variant.kind}{_TEMPORAL}" if result.variant.temporal else result.variant.kind


def _name_schedules(axes: Any, study: Study) -> None:
    """Write each schedule above its variants, except where names would overlap; the table has all."""
    places = {r.variant.schedule: study.costs[r.variant.name].multiply_adds / 1e9 for r in study.results}
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
