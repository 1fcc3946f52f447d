"""Prints the results of an evaluation, and comparisons of two, as tables and as lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from centerclip.cli.formats import count, short_path
from centerclip.cli.output import note, stdout, table, write_tabs

if TYPE_CHECKING:
    from rich.text import Text

    from centerclip.evaluation import Pair, Report
    from centerclip.evaluation.report import Interval, Result
    from centerclip.metrics import Comparison

__all__ = ["show_pair", "show_report", "write_differences", "write_figures"]

_SHOWN = ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank", "mean_rank")
"""Figures in tables; piped output has all of them."""


def write_figures(report: Report) -> None:
    """Print one figure per line, tab-separated."""
    from centerclip.metrics import LABELS

    for result in report.results:
        for direction, figures in _directions(result):
            for name, figure in figures.items():
                values = (f"{value:.2f}" for value in (figure.value, figure.low, figure.high))
                write_tabs(
                    (result.schedule, result.reducer, result.rescoring, direction, LABELS[name], *values)
                )
        if (found := result.against_reverse) is not None:
            values = (f"{value:.2f}" for value in (found.value, found.low, found.high))
            write_tabs((result.schedule, result.reducer, result.rescoring, "reverse", "closer", *values))


def show_report(report: Report) -> None:
    """Print a table with two rows per result, one for each direction."""
    from centerclip.metrics import LABELS

    missing = f", {count(len(report.missing), 'video')} missing" if report.missing else ""
    stdout().print(
        f"{report.dataset} {report.split}: {count(len(report.videos), 'video')}, "
        f"{count(len(report.captions), 'caption')}{missing}"
    )
    stdout().print(
        f"{short_path(report.model)}, {report.frames} frames; video to text by {report.protocol}; "
        f"intervals 95 %, seed {report.seed}\n",
        style="dim",
        soft_wrap=True,
    )
    labels = [LABELS[name] for name in _SHOWN]
    rows = table("result", "direction", *labels, right=labels)
    for result in report.results:
        cell: Text | str = _below(result.name, f"{result.multiply_adds / 1e9:.3g} GMACs/video")
        for direction, figures in _directions(result):
            intervals = ((figures[name].value, figures[name].low, figures[name].high) for name in _SHOWN)
            rows.add_row(
                cell,
                direction,
                *(_below(f"{value:.1f}", f"{low:.1f}–{high:.1f}") for value, low, high in intervals),
            )
            cell = ""
    stdout().print(rows)
    for result in report.results:
        if (found := result.against_reverse) is not None:
            share = f"{found.value:.1f} % ({found.low:.1f}–{found.high:.1f})"
            note(
                f"{result.name}: {share} of captions closer to their video than to its reverse; chance is 50."
            )
    if any(result.transductive for result in report.results):
        marked = dict.fromkeys(result.rescoring for result in report.results if result.transductive)
        names = ", ".join(marked)
        note(f"{names}: transductive (all test queries at once); don't compare with the others.", style="dim")


def write_differences(pair: Pair) -> None:
    """Print one difference per line, tab-separated."""
    for direction, comparison in _compared(pair):
        for label, found in comparison.labeled().items():
            values = (f"{value:.2f}" for value in (found.value, found.low, found.high))
            write_tabs((pair.first.name, pair.second.name, direction, label, *values, f"{found.p_value:.4f}"))


def show_pair(pair: Pair) -> None:
    """Print a table of both results' figures, their differences and p-values."""
    from centerclip.metrics import LABELS

    captions = count(pair.text_to_video.count, "caption")
    stdout().print(f"{pair.second.name} compared with {pair.first.name}, {captions}")
    columns = ("first", "second", "difference", "95 %", "p")
    rows = table("direction", "figure", *columns, right=columns)
    figures = [dict(_directions(result)) for result in (pair.first, pair.second)]
    for direction, comparison in _compared(pair):
        for name in _SHOWN:
            found = getattr(comparison, name)
            rows.add_row(
                direction if name == _SHOWN[0] else "",
                LABELS[name],
                *(f"{figures[place][direction][name].value:.1f}" for place in (0, 1)),
                f"{found.value:+.1f}",
                f"{found.low:+.1f} to {found.high:+.1f}",
                f"{found.p_value:.4f}",
            )
    stdout().print(rows)


def _directions(result: Result) -> Iterator[tuple[str, dict[str, Interval]]]:
    yield "text to video", result.text_to_video
    if result.video_to_text is not None:
        yield "video to text", result.video_to_text


def _compared(pair: Pair) -> Iterator[tuple[str, Comparison]]:
    yield "text to video", pair.text_to_video
    if pair.video_to_text is not None:
        yield "video to text", pair.video_to_text


def _below(text: str, dim: str) -> Text:
    from rich.text import Text

    return Text(f"{text}\n").append(dim, style="dim")
