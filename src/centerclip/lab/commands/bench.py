"""`centerclip bench`: measure speed and memory on this machine, as a table, JSON and plots."""

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
    from centerclip.lab.bench.report import BenchReport, Row
    from centerclip.lab.bench.subjects import Subject

__all__ = ["bench"]

_RESULTS = "results.json"
_STOLEN = 0.02
"""Share of CPU time taken by the host above which a warning is shown."""
_MISLEADING = "The figures may be wrong, especially those of short multi-threaded operations."


def bench(
    parts: Annotated[list[str] | None, options.argument("[PART]...")] = None,
    model: Annotated[
        str | None,
        option(
            "Model: a name on the hub, a folder, or nano. Default: ViT-B/32 and ViT-B/16 with random "
            "weights, which don't affect speed; the part encoder also measures two PE-Cores.",
            metavar="NAME",
        ),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        option(
            f"{options.STAGES} Repeat to compare several. Default: the paper's, or the model's own.",
            metavar="STAGES",
        ),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: Annotated[
        int | None, option("Computing threads. Default: one per core.", min=1, metavar="N")
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, metavar="N", help="How often each operation is timed, after a warm-up.")
    ] = 5,
    windows: Annotated[
        list[int] | None,
        option(
            "Windows in the index for the parts search, sizes and growth; can be repeated. Default: 10000, "
            "100000, 1000000.",
            min=100,
            metavar="N",
        ),
    ] = None,
    quick: Annotated[
        bool,
        option("Only check that everything runs: small sizes, a tiny model, meaningless figures.", "--quick"),
    ] = False,
    output: Annotated[
        Path | None,
        option(
            "Also write results.json and plots to this folder. Results of the same parts are replaced, "
            "others are kept.",
            metavar="FOLDER",
        ),
    ] = None,
    readme: Annotated[
        Path | None,
        option(
            "Also write all results in --output as tables into this Markdown file, between its markers.",
            metavar="FILE",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        option(
            "Keep the footage of the part recordings in this folder. Default: the user's cache folder.",
            metavar="FOLDER",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure speed and memory on this machine.

    PART is clustering, encoder, gpu, decode, index, recordings, train or search; by default all are measured.
    They take about 50 minutes on two cores, and 15 GB in the folder for temporary files. The part gpu, which
    compares ways of using a GPU, has no figures without one. Two more measure large indexes: sizes what they
    cost, with up to ten million windows, for 4 kB of disk and 0.1 seconds per thousand; growth what runs and
    servers do again and again.

    Each part is compared with an alternative, in alternation within one run: naive clustering, transformers'
    CLIP frame by frame, decoding every frame, comparing every vector, the usual pipeline of FFmpeg and
    transformers. Figures are medians with quartiles over the rounds. Files are written after each part.

    Piped output has one figure per line, tab-separated: part, what, median, lower and upper quartile, unit,
    goal, whether the goal is met.

    \b
    Example:
      centerclip bench clustering encoder --schedule B6-4,49 --output bench
    """
    import torch

    from centerclip.embedding.device import available_cores, choose_device, choose_dtype
    from centerclip.lab.bench.parts import BY_DEFAULT, FIRST_ONLY, check_parts, measure
    from centerclip.lab.bench.plot import check_plots
    from centerclip.lab.bench.report import check_page
    from centerclip.lab.bench.results import join_results, read_results
    from centerclip.lab.bench.setting import Setting
    from centerclip.lab.bench.subjects import SEED

    # Find mistakes now rather than after 50 minutes.
    check_parts(parts or ())
    place = choose_device(device)
    choose_dtype(precision, place)
    earlier: list[BenchReport] = []
    if output is not None:
        check_plots()
        output.mkdir(parents=True, exist_ok=True)
        earlier = read_results(output / _RESULTS, quick=quick)
    if readme is not None:
        if quick:
            raise typer.BadParameter("can't be used with --quick", param_hint="--readme")
        if output is None:
            raise typer.BadParameter("needs --output", param_hint="--readme")
        check_page(readme)
    subjects = _subjects(model, schedule or [], quick, only_first=set(parts or BY_DEFAULT) <= FIRST_ONLY)
    load, cores = getloadavg()[0], available_cores()
    if load > cores / 2:
        note(
            f"The machine is busy: its load average is {load:.1f} on {cores} cores. {_MISLEADING}",
            style="yellow",
        )
    used_threads = threads or cores
    torch.set_num_threads(used_threads)  # so that results don't depend on the environment
    settings = {
        "models": ", ".join(subject.name for subject in subjects),
        "schedules": " ".join(schedule) if schedule else None,
        "device": str(place),
        "precision": precision,
        "threads": used_threads,
        "rounds": rounds,
        "windows": " ".join(map(str, windows)) if windows else None,
        "quick": quick or None,
        "seed": SEED,
    }
    with TemporaryDirectory(prefix="centerclip-bench-") as folder:
        setting = Setting(
            place, Path(folder), precision, rounds, quick, kept=_cache(cache, quick), tell=_tell
        )
        if windows:
            setting = replace(setting, windows=tuple(windows))
        report = measure(
            parts or list(BY_DEFAULT),
            subjects,
            setting,
            settings=settings,
            on_row=lambda row: _write_row(row, json),
            on_part=lambda report: _write_files(join_results(earlier, report), output, readme),
        )
    if not json and on_terminal():
        _show(report)
    stolen = {part: share for part, share in report.stolen.items() if share >= _STOLEN}
    if stolen:
        parts_affected = ", ".join(f"{share:.0%} during {part}" for part, share in stolen.items())
        note(f"The host took CPU time from this machine: {parts_affected}. {_MISLEADING}", style="yellow")
    note(f"Measured {len(report.rows)} figures in {duration(report.seconds)}.")


def _cache(given: Path | None, quick: bool) -> Path | None:
    import platformdirs

    if given is None and not quick:
        return platformdirs.user_cache_path("centerclip", appauthor=False) / "bench"
    return given


def _tell(what: str) -> None:
    note(f"measuring {what}", style="dim")


def _subjects(name: str | None, schedules: Sequence[str], quick: bool, *, only_first: bool) -> list[Subject]:
    from centerclip.cli.loading import load_model, model_name
    from centerclip.lab.bench.subjects import random_subject, subject_of
    from centerclip.schedule import check_schedule

    for text in schedules:
        check_schedule(text)
    if name is not None:
        return [subject_of(name, load_model(model_name(name)), schedules)]
    names = ("tiny", "PE-Core tiny") if quick else ("B/32", "B/16", "PE-Core S/16-384", "PE-Core B/16-224")
    subjects = [random_subject(geometry) for geometry in (names[:1] if only_first else names)]
    return [
        subject_of(made.name, made.model, schedules or made.schedules, parts=made.parts) for made in subjects
    ]


def _write_row(row: Row, json: bool) -> None:
    if json:
        write_json({**asdict(row), "met": row.met})
    elif not on_terminal():
        spread = (f"{value:.6g}" for value in (row.figure.median, row.figure.low, row.figure.high))
        goal = "" if row.goal is None else str(row.goal)
        met = {None: "", True: "yes", False: "no"}[row.met]
        write_tabs((row.part, row.what, *spread, row.unit, goal, met))


def _show(report: BenchReport) -> None:
    from centerclip.lab.bench.report import HEADINGS, cells

    rows = table("part", *HEADINGS, right=("here", "figure", "goal"))
    for row in report.rows:
        rows.add_row(row.part, *(cell.replace("**", "") for cell in cells(row)))
    stdout().print(rows)


def _write_files(reports: Sequence[BenchReport], output: Path | None, readme: Path | None) -> None:
    from centerclip.lab.bench.plot import plot_all
    from centerclip.lab.bench.report import write_table
    from centerclip.lab.bench.results import write_results

    if output is not None:
        write_results(reports, output / _RESULTS)
        plot_all([row for report in reports for row in report.rows], output)
    if readme is not None:
        write_table(reports, readme)
