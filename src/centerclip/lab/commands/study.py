"""`centerclip study`: reducers and schedules compared at equal budget, as a table and a plot."""

from __future__ import annotations

import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.options import argument, option
from centerclip.cli.output import note, on_terminal, stdout, table, write_json, write_tabs
from centerclip.cli.progress import Bar
from centerclip.naming import look_here

if TYPE_CHECKING:
    from centerclip.lab.study import Cost, Study, VariantResult

__all__ = ["study"]


def study(
    config: Annotated[Path, argument("FILE")],
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar="N", help="Runs at a time, each on one core.")
    ] = 1,
    document: Annotated[
        Path | None,
        option(
            "Also put table and plot into a Markdown file, between the lines <!-- study NAME --> and "
            "<!-- end NAME -->, where NAME is that of the plan.",
            metavar="FILE",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Compare token reducers and schedules at equal budget.

    FILE is a plan such as those in configs/studies: from one checkpoint, every reducer and schedule is
    trained equally long with several seeds and measured on the test split; then all are timed in turns.
    What is done already isn't done again, so a study that was stopped goes on where it was. The plan's
    output folder receives study.json, study.md and study.png.

    Piped, one variant a line, tab-separated: name, R@1 with the low and high end of its interval,
    multiply-adds a video, seconds a training step, seconds a video.

    \b
    Example:
      centerclip study configs/studies/reducers.toml --jobs 2
    """
    from centerclip.lab.study import load_study, run_study, write_into, write_report

    look_here()  # a plan may name module:Class
    plan = load_study(config)
    with (
        Bar("Drawing", unit="videos") as drawing,
        Bar("Training the start", unit="steps") as training,
        Bar("Comparing", unit="runs") as comparing,
    ):
        bars = {"draw": drawing, "start": training, "compare": comparing}
        try:
            finished = run_study(
                plan, jobs=jobs, on_progress=lambda stage, done, total: bars[stage].advance(done, total)
            )
        except KeyboardInterrupt:
            note("Stopped. The same command goes on with what is missing.")
            raise typer.Exit(128 + signal.SIGINT) from None
    write_report(finished)
    if document is not None:
        write_into(finished, document, config.stem)
    if json or not on_terminal():
        for result in finished.results:
            _write(result, finished.costs[result.variant.name], json=json)
    else:
        _show(finished)
        note(f"{plan.output / 'study.md'} has all figures.")


def _write(result: VariantResult, cost: Cost, *, json: bool) -> None:
    recall = result.summary().recall_at_1
    if json:
        write_json({"name": result.variant.name, "recall_at_1": asdict(recall), "cost": asdict(cost)})
        return
    figures = (f"{figure:.2f}" for figure in (recall.value, recall.low, recall.high))
    seconds = (f"{cost.step_seconds:.4f}", f"{cost.video_seconds:.4f}")
    write_tabs((result.variant.name, *figures, str(cost.multiply_adds), *seconds))


def _show(study: Study) -> None:
    heads = ("R@1", "95 %", "G mult-adds", "ms a step", "ms a video")
    rows = table("variant", *heads, right=heads)
    for result in study.results:
        cost, recall = study.costs[result.variant.name], result.summary().recall_at_1
        rows.add_row(
            result.variant.name,
            f"{recall.value:.1f}",
            f"{recall.low:.1f}–{recall.high:.1f}",
            f"{cost.multiply_adds / 1e9:.3f}",
            f"{1000 * cost.step_seconds:.0f}",
            f"{1000 * cost.video_seconds:.1f}",
        )
    stdout().print(study.config.title)
    stdout().print(rows)
