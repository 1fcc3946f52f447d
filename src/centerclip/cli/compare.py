"""`centerclip compare`: whether one result is better than another, query by query."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from centerclip.cli import options
from centerclip.cli.figures import show_pair, write_differences
from centerclip.cli.formats import count
from centerclip.cli.options import argument
from centerclip.cli.output import note, on_terminal, write_json

if TYPE_CHECKING:
    from centerclip.evaluation import Pair

__all__ = ["compare"]


def compare(
    reports: Annotated[list[Path], argument("REPORT [REPORT]")],
    seed: Annotated[int, typer.Option(metavar="N", help="Of the resampling.")] = 0,
    json: options.Json = False,
) -> None:
    """Say whether the results of one report are better than those of another.

    A REPORT is what centerclip evaluate --output writes. Of one, its first result is compared with each of
    the others; of two, results with the same schedule, reducer and re-scoring, or all with the only one.
    Both must have ranked the same captions and videos.

    Differences are the second's figure minus the first's, with a 95 % interval from drawing queries, all
    captions of a video together, and the p-value of the permutation test that exchanges both results'
    ranks. The p-values are those of single tests: of twenty figures, one differs by chance at 0.05.

    Piped, one difference a line, tab-separated: first, second, direction, figure, difference, low and high
    end of the interval, p.

    \b
    Examples:
      centerclip compare schedules.json
      centerclip compare before.json after.json
    """
    from centerclip.evaluation import compare_reports, read_report

    if len(reports) > 2:
        raise typer.BadParameter(f"{len(reports)} reports; one or two can be compared")
    read = [read_report(path) for path in reports]
    pairs = compare_reports(*read, seed=seed)
    for number, pair in enumerate(pairs):
        if json:
            write_json(_record(pair))
        elif on_terminal():
            if number:
                typer.echo()
            show_pair(pair)
        else:
            write_differences(pair)
    note(
        f"{read[0].dataset} {read[0].split}: {count(len(read[0].captions), 'caption')} and "
        f"{count(len(read[0].videos), 'video')} paired, {count(len(pairs), 'comparison')}.",
        style="dim",
    )
    if any(pair.first.transductive != pair.second.transductive for pair in pairs):
        note("One looks at all test queries at once and the other doesn't: that is no fair comparison.")


def _record(pair: Pair) -> dict[str, Any]:
    return {
        "first": pair.first.name,
        "second": pair.second.name,
        "text_to_video": asdict(pair.text_to_video),
        "video_to_text": None if pair.video_to_text is None else asdict(pair.video_to_text),
    }
