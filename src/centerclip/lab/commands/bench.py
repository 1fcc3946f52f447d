"""`centerclip bench`: what everything costs on this machine, as a table, JSON and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from os import getloadavg
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.formats import duration
from centerclip.cli.options import option
from centerclip.cli.output import note, on_terminal, stdout, table, write_json, write_tabs

if TYPE_CHECKING:
    from centerclip.lab.bench.report import Report, Row
    from centerclip.lab.bench.subjects import Subject

__all__ = ["bench"]

_RESULTS = "results.json"
_STOLEN = 0.02
"""Share of the processors' time that the host may take before figures are told to mislead."""


def bench(
    parts: Annotated[list[str] | None, options.argument("[PART]...")] = None,
    model: Annotated[
        str | None,
        option(
            "A model's name on the hub, its folder, or nano; by default ViT-B/32 and ViT-B/16 with random "
            "weights, on which speed does not depend.",
            metavar="NAME",
        ),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        option(
            "Token schedule, such as B6-4,49 or fast; several are compared.",
            metavar="STAGES",
        ),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: Annotated[
        int | None, option("Threads that compute; by default one a core.", min=1, metavar="N")
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, metavar="N", help="How often each thing is timed, after one warm-up.")
    ] = 5,
    windows: Annotated[
        list[int] | None,
        option(
            "Windows in a collection that is searched; several are measured; by default 10000, 100000 and "
            "1000000.",
            min=100,
            metavar="N",
        ),
    ] = None,
    quick: Annotated[
        bool,
        option("Small sizes and a tiny model: does everything run? The figures mean nothing.", "--quick"),
    ] = False,
    output: Annotated[
        Path | None,
        option(
            "Also write results.json and plots to this folder, where they take the place of what was "
            "measured there before of the same parts.",
            metavar="FOLDER",
        ),
    ] = None,
    readme: Annotated[
        Path | None,
        option(
            "Also put all results of the folder on this page as tables, between its markers.", metavar="FILE"
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure what things cost here: clustering, encoder, decode, index, train, search; all by default.

    Everything is measured beside its rival, in turns and in the same run: a naive clustering,
    transformers' CLIP frame by frame, decoding every frame, looking at every vector. Figures are
    medians over the rounds with their quartiles. Files are written after each part. All parts take about
    half an hour on two cores and 15 GB of disk in the folder for temporary files.

    Piped, one figure a line, tab-separated: part, what, median, low and high quartile, unit, goal, met.

    \b
    Example:
      centerclip bench clustering encoder --schedule B6-4,49 --output bench
    """
    from centerclip.embedding.device import available_cores, choose_device, choose_dtype
    from centerclip.lab.bench.parts import PARTS, check_parts, measure
    from centerclip.lab.bench.plot import check_plots
    from centerclip.lab.bench.report import check_page
    from centerclip.lab.bench.results import join_results, read_results
    from centerclip.lab.bench.setting import Setting
    from centerclip.lab.bench.subjects import SEED

    # What could fail at the end of half an hour fails here.
    check_parts(parts or ())
    place = choose_device(device)
    choose_dtype(precision, place)
    earlier: list[Report] = []
    if output is not None:
        check_plots()
        output.mkdir(parents=True, exist_ok=True)
        earlier = read_results(output / _RESULTS, quick=quick)
    if readme is not None:
        if quick:
            raise typer.BadParameter("a quick run's figures mean nothing", param_hint="--readme")
        if output is None:
            raise typer.BadParameter("needs --output, whose results it shows", param_hint="--readme")
        check_page(readme)
    subjects = _subjects(model, schedule or [], quick)
    _warn_if_busy(available_cores())
    settings = {
        "models": ", ".join(subject.name for subject in subjects),
        "schedules": " ".join(schedule) if schedule else None,
        "device": str(place),
        "precision": precision,
        "threads": _use_threads(threads),
        "rounds": rounds,
        "windows": " ".join(map(str, windows)) if windows else None,
        "quick": quick or None,
        "seed": SEED,
    }
    with TemporaryDirectory(prefix="centerclip-bench-") as folder:
        setting = Setting(place, Path(folder), precision, rounds, quick, tell=_tell)
        if windows:
            setting = replace(setting, windows=tuple(windows))
        report = measure(
            parts or list(PARTS),
            subjects,
            setting,
            settings=settings,
            on_row=lambda row: _write_row(row, json),
            on_part=lambda report: _write_files(join_results(earlier, report), output, readme),
        )
    if not json and on_terminal():
        _show(report)
    _warn_if_stolen(report)
    note(f"Measured {len(report.rows)} figures in {duration(report.seconds)}.")


def _warn_if_busy(cores: int) -> None:
    load = getloadavg()[0]
    if load > cores / 2:
        note(
            f"The machine is busy: {load:.1f} programs ran on its {cores} cores in the last minute. Figures "
            "will mislead, most of all those of short operations in several threads.",
            style="yellow",
        )


def _warn_if_stolen(report: Report) -> None:
    stolen = {part: share for part, share in report.stolen.items() if share >= _STOLEN}
    if stolen:
        parts = ", ".join(f"{share:.0%} during {part}" for part, share in stolen.items())
        note(
            f"The host of this machine gave the processors' time to others: {parts}. Figures mislead, most "
            "of all those of short operations in several threads.",
            style="yellow",
        )


def _tell(what: str) -> None:
    note(f"measuring {what}", style="dim")


def _use_threads(threads: int | None) -> int:
    """Fix the number of threads that compute, so that it does not depend on the environment."""
    import torch

    from centerclip.embedding.device import available_cores

    used = threads or available_cores()
    torch.set_num_threads(used)
    return used


def _subjects(name: str | None, schedules: Sequence[str], quick: bool) -> list[Subject]:
    from centerclip.cli.loading import load_model, model_name
    from centerclip.lab.bench.subjects import random_subject, subject_of
    from centerclip.schedule import check_schedule

    for text in schedules:
        check_schedule(text)
    if name is not None:
        return [subject_of(name, load_model(model_name(name)), schedules)]
    names = ("tiny",) if quick else ("B/32", "B/16")
    subjects = [random_subject(geometry) for geometry in names]
    return [subject_of(made.name, made.model, schedules or made.schedules) for made in subjects]


def _write_row(row: Row, json: bool) -> None:
    if json:
        write_json({**asdict(row), "met": row.met})
    elif not on_terminal():
        spread = (f"{value:.6g}" for value in (row.figure.median, row.figure.low, row.figure.high))
        goal = "" if row.goal is None else str(row.goal)
        met = {None: "", True: "yes", False: "no"}[row.met]
        write_tabs((row.part, row.what, *spread, row.unit, goal, met))


def _show(report: Report) -> None:
    from centerclip.lab.bench.report import HEADINGS, cells

    rows = table("part", *HEADINGS, right=("here", "figure", "goal"))
    for row in report.rows:
        rows.add_row(row.part, *(cell.replace("**", "") for cell in cells(row)))
    stdout().print(rows)


def _write_files(reports: Sequence[Report], output: Path | None, readme: Path | None) -> None:
    from centerclip.lab.bench.plot import plot_all
    from centerclip.lab.bench.report import write_table
    from centerclip.lab.bench.results import write_results

    if output is not None:
        write_results(reports, output / _RESULTS)
        plot_all([row for report in reports for row in report.rows], output)
    if readme is not None:
        write_table(reports, readme)
