"""`centerclip compare`: test whether one result is better than another, query by query."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from centerclip.cli import options
from centerclip.cli.figures import show_pair, write_differences
from centerclip.cli.formats import count
from centerclip.cli.options import argument
from centerclip.cli.output import note, on_terminal, write_json

__all__ = ["compare"]


def compare(
    reports: Annotated[list[Path], argument("REPORT [REPORT]")],
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of the resampling.")] = 0,
    json: options.Json = False,
) -> None:
    """Compare results of evaluate, query by query.

    A REPORT is a file written by centerclip evaluate --output. With one report, its first result is compared
    with each of the others. With two, results with the same schedule, reducer and re-scoring are compared;
    if one report has a single result, it is compared with all of the other's. Both reports must rank the
    same captions and videos.

    Differences are the second's figure minus the first's, with a 95 % bootstrap interval (all captions of a
    video are drawn together) and the p-value of a permutation test that swaps the two results' ranks. The
    p-values aren't corrected for multiple tests: of twenty figures, expect one below 0.05 by chance.

    Piped output has one difference per line, tab-separated: first, second, direction, figure, difference,
    low and high end of the interval, p.

    \b
    Examples:
      centerclip compare schedules.json
      centerclip compare before.json after.json
    """
    from centerclip.evaluation import compare_reports, read_report

    if len(reports) > 2:
        raise typer.BadParameter(f"give one or two, not {len(reports)}", param_hint="REPORT")
    read = [read_report(path) for path in reports]
    pairs = compare_reports(*read, seed=seed)
    for number, pair in enumerate(pairs):
        if json:
            write_json(
                {
                    "first": pair.first.name,
                    "second": pair.second.name,
                    "text_to_video": asdict(pair.text_to_video),
                    "video_to_text": None if pair.video_to_text is None else asdict(pair.video_to_text),
                }
            )
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
        note(
            "Unfair: one of the results is transductive (it uses all test queries at once), the other isn't."
        )
