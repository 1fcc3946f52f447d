"""`centerclip study`: compare reducers and schedules at equal training budget."""

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
        int, typer.Option("--jobs", min=1, metavar="N", help="Runs side by side, each on one core.")
    ] = 1,
    document: Annotated[
        Path | None,
        option(
            "Also write table and plot into a Markdown file, between its lines <!-- study NAME --> and "
            "<!-- end NAME -->, where NAME is the plan's file name without .toml.",
            metavar="FILE",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Compare token reducers and schedules at equal budget.

    FILE is a plan such as those in configs/studies. Starting from one checkpoint, every reducer and schedule
    is trained for the same number of steps with several seeds and measured on the test split. Then all are
    timed, in alternation. A stopped study continues where it was. It writes study.json, study.md and
    study.png to the plan's output folder.

    Piped output has one variant per line, tab-separated: name, R@1, low and high end of its interval,
    multiply-adds per video, seconds per training step, seconds per video.

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
            note("Stopped. Run the same command to continue.")
            raise typer.Exit(128 + signal.SIGINT) from None
    write_report(finished)
    if document is not None:
        write_into(finished, document, config.stem)
    if json or not on_terminal():
        for result in finished.results:
            _write(result, finished.costs[result.variant.name], json=json)
    else:
        _show(finished)
        note(f"All figures are in {plan.output / 'study.md'}.")


def _write(result: VariantResult, cost: Cost, *, json: bool) -> None:
    recall = result.summary().recall_at_1
    if json:
        write_json({"name": result.variant.name, "recall_at_1": asdict(recall), "cost": asdict(cost)})
        return
    figures = (f"{figure:.2f}" for figure in (recall.value, recall.low, recall.high))
    seconds = (f"{cost.step_seconds:.4f}", f"{cost.video_seconds:.4f}")
    write_tabs((result.variant.name, *figures, str(cost.multiply_adds), *seconds))


def _show(study: Study) -> None:
    heads = ("R@1", "95 %", "GMACs", "ms/step", "ms/video")
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
