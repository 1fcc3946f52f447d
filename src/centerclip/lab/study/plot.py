"""Plots recall over cost, with one mark per variant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from centerclip.lab.bench.plot import check_plots
from centerclip.lab.study.results import Study, VariantResult
from centerclip.naming import REDUCERS

__all__ = ["plot"]

# Okabe and Ito's palette, which is safe for color-blind readers; shapes differ too, for prints in gray.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#999999")
_SHAPES = "os^vDPX"
_LABEL = 0.016
"""Width of a schedule's label, as a fraction of the plot's width."""
_SPREAD = 0.006
"""Distance between variants of equal cost, as a fraction of the highest cost."""


def plot(study: Study, path: Path) -> None:
    """Plot text-to-video R@1 with its interval over multiply-adds per video, as a PNG file.

    Raises:
        ConfigError: matplotlib is missing.
    """
    check_plots()
    from matplotlib.figure import Figure

    costs = study.costs
    figure = Figure(figsize=(8.4, 4.8), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    first, *rest = study.config.starts

    def label_of(result: VariantResult) -> str:
        return f"{result.variant.label} ({result.start})" if rest else result.variant.label

    labels = list(dict.fromkeys(map(label_of, study.results)))
    marks = _marks([result.variant.kind for result in study.results])
    highest = max(cost.multiply_adds for cost in costs.values()) / 1e9
    plain = sum(label.startswith("none") for label in labels)  # variants without a reduction
    for place, label in enumerate(labels):
        own = [result for result in study.results if label_of(result) == label]
        variant = own[0].variant
        color, marker = marks[variant.kind]
        shift = (
            (place - (len(labels) - 1) / 2) * _SPREAD * highest
            if variant.kind != "none" or plain > 1
            else 0.0
        )
        x = [costs[result.variant.name].multiply_adds / 1e9 + shift for result in own]
        recalls = [found for result in own if (found := result.level())]
        y = [found.value for found in recalls]
        spread = [
            [found.value - found.low for found in recalls],
            [found.high - found.value for found in recalls],
        ]
        axes.errorbar(
            x, y, yerr=spread, fmt=marker, color=color, ecolor=color, elinewidth=0.8, alpha=0.9, capsize=0,
            markersize=11 if variant.kind == "none" else 6, label=label,
            markerfacecolor="white" if variant.temporal or own[0].start != first else color,
        )  # fmt: skip
        if variant.name == "none":
            axes.axhline(y[0], color=color, linewidth=0.7, linestyle=":")
    _label_schedules(axes, study)
    axes.set_xlabel("multiply-adds of the vision tower per video, G")
    axes.set_ylabel("text-to-video R@1, %")
    axes.set_title(study.config.title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _marks(kinds: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A color and a shape for each reducer; those of the built-in ones are the same in every plot."""
    others = sorted({*kinds} - {*REDUCERS, "none"})
    marks = {"none": ("#000000", "*")}
    for number, kind in enumerate((*REDUCERS, *others)):
        row, column = divmod(number, len(_COLORS))  # each further row combines the colors with other shapes
        marks[kind] = (_COLORS[column], _SHAPES[(column + row) % len(_SHAPES)])
    return marks


def _label_schedules(axes: Any, study: Study) -> None:
    """Write each schedule above its variants, except where labels would overlap."""
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
