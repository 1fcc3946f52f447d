"""`centerclip study`: compare reducers, schedules and numbers of frames at equal training budget."""

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
    from centerclip.lab.study import Budget, Cost, Study, StudyConfig, VariantResult

__all__ = ["study"]


def study(
    config: Annotated[Path, argument("FILE")],
    dry_run: Annotated[
        bool,
        option("Only say what the study takes: runs, multiply-adds, hours and power.", "--dry-run"),
    ] = False,
    finished: Annotated[
        bool, option("Train nothing; write the report of the runs that are finished.", "--finished")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar="N", help="Runs side by side, each on one core.")
    ] = 1,
    device: Annotated[
        str, option("Device: cpu, cuda, cuda:1, or auto, the first GPU or else the CPU.", metavar="NAME")
    ] = "cpu",
    document: Annotated[
        Path | None,
        option(
            "Also write tables and plot into a Markdown file, between its lines <!-- study NAME --> and "
            "<!-- end NAME -->, where NAME is the plan's file name without .toml.",
            metavar="FILE",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Compare token reducers, schedules and numbers of frames at equal budget.

    FILE is a plan such as those in configs/studies. From each of its starts, every variant is trained for the
    same number of steps with several seeds and measured on the test split, or on the split that the plan
    names. The plan's comparisons are tested for difference and for equivalence, with seeds and videos both
    random, and corrected for their number.
    Then all variants are timed, in alternation. A stopped study continues where it was. It writes study.json,
    study.md and study.png to the plan's output folder.

    Piped output has one variant per line, tab-separated: start, name, R@1, low and high end of its interval,
    multiply-adds per video, seconds per training step, seconds per video.

    \b
    Examples:
      centerclip study configs/studies/reducers.toml --dry-run
      centerclip study configs/studies/reducers.toml --jobs 2
    """
    from centerclip.embedding.device import choose_device
    from centerclip.lab.study import budget, load_study, run_study, write_into, write_report

    look_here()  # a plan may name module:Class
    plan = load_study(config)
    if dry_run:
        _announce(plan, budget(plan), json=json)
        return
    device = str(choose_device(device))
    with (
        Bar("Drawing", unit="videos") as drawing,
        Bar("Training the start", unit="steps") as training,
        Bar("Comparing", unit="runs") as comparing,
    ):
        bars = {"draw": drawing, "start": training, "compare": comparing}
        try:
            done = run_study(
                plan,
                jobs=jobs,
                device=device,
                finished=finished,
                on_progress=lambda stage, done, total: bars[stage].advance(done, total),
            )
        except KeyboardInterrupt:
            note("Stopped. Run the same command to continue.")
            raise typer.Exit(128 + signal.SIGINT) from None
    write_report(done)
    if document is not None:
        write_into(done, document, config.stem)
    if json or not on_terminal():
        for result in done.results:
            _write(result, done.costs[result.variant.name], json=json)
    else:
        _show(done)
        note(f"All figures are in {plan.output / 'study.md'}.")


def _announce(plan: StudyConfig, found: Budget, *, json: bool) -> None:
    if json:
        write_json(asdict(found))
        return
    lines = [
        f"{found.runs} runs of {found.steps} steps: {len(plan.arms)} variants, {len(plan.seeds)} seeds",
        f"{found.passes} passes over a split to measure them; {_videos(plan, found)}",
        f"{found.multiply_adds / 1e12:,.1f} T multiply-adds of the vision tower in all runs",
        f"about {found.start_hours:.1f} hours for the starts and {found.hours:.1f} for the runs, of one core",
        f"{found.tests} comparisons, corrected for their number"
        + (f"; as good means within {found.margin:g} points" if found.margin else ""),
    ]
    if found.detectable is not None:
        lines.append(f"power of 80 % for a difference of {found.detectable:.1f} points or more")
    if found.equivalence_power is not None:
        lines.append(f"power of {100 * found.equivalence_power:.0f} % to find equal variants as good")
    if found.detectable is None:
        lines.append(
            "power unknown: give assumed_errors, what seeds and videos contribute to a standard error"
        )
    for line in lines:
        typer.echo(line)


def _videos(plan: StudyConfig, found: Budget) -> str:
    assumed = "" if plan.world else ", as assumed for a data set"
    return f"{plan.split} has {found.videos} videos{assumed}"


def _write(result: VariantResult, cost: Cost, *, json: bool) -> None:
    recall = result.level()
    name = {"start": result.start, "name": result.variant.name}
    if json:
        write_json({**name, "recall_at_1": recall and asdict(recall), "cost": asdict(cost)})
        return
    figures = (
        (f"{figure:.2f}" for figure in (recall.value, recall.low, recall.high)) if recall else ("", "", "")
    )
    seconds = (f"{cost.step_seconds:.4f}", f"{cost.video_seconds:.4f}")
    write_tabs((*name.values(), *figures, str(cost.multiply_adds), *seconds))


def _show(study: Study) -> None:
    heads = ("R@1", "95 %", "GMACs", "ms/step", "ms/video")
    rows = table("start", "variant", *heads, right=heads)
    for result in study.results:
        cost, recall = study.costs[result.variant.name], result.level()
        rows.add_row(
            result.start,
            result.variant.name,
            f"{recall.value:.1f}" if recall else "",
            f"{recall.low:.1f}–{recall.high:.1f}" if recall else "",
            f"{cost.multiply_adds / 1e9:.3f}",
            f"{1000 * cost.step_seconds:.0f}",
            f"{1000 * cost.video_seconds:.1f}",
        )
    stdout().print(study.config.title)
    stdout().print(rows)
