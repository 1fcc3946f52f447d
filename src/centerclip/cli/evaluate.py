"""`centerclip evaluate`: measure recall on a data set under one or several schedules and reducers."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from centerclip.cli import options
from centerclip.cli.figures import show_report, write_figures
from centerclip.cli.formats import count, short_path
from centerclip.cli.options import option
from centerclip.cli.output import note, on_terminal, write_json
from centerclip.cli.progress import Bar
from centerclip.datasets.load import DATASETS, describe_frames, describe_splits

__all__ = ["evaluate"]


_GROUPED = ", ".join(name for name, spec in DATASETS.items() if "group" in spec.protocols)


def evaluate(
    ctx: typer.Context,
    dataset: Annotated[
        str, option(f"Data set: {', '.join(DATASETS)}, or your own as module:object.", metavar="NAME")
    ],
    videos: Annotated[
        Path | None, option("Folder of the videos. Default: the annotations' folder.", metavar="FOLDER")
    ] = None,
    annotations: Annotated[
        Path | None,
        option("Folder of the annotation files; for manifest, the file. Default: --videos.", metavar="PATH"),
    ] = None,
    split: Annotated[
        str | None,
        option(
            f"Split to evaluate. Default: the first one listed, for manifest test. {describe_splits()}.",
            metavar="NAME",
        ),
    ] = None,
    frames: Annotated[
        int | None,
        option(
            f"Frames per video. Default: the data set's ({describe_frames()}), or the model's.",
            metavar="N",
            min=1,
        ),
    ] = None,
    allow_missing: Annotated[
        bool, option("Leave out missing and unreadable videos, and list them.", "--allow-missing")
    ] = False,
    model: options.Model = None,
    backbone: options.Backbone = None,
    schedule: Annotated[
        list[str] | None,
        option(f"{options.STAGES} Repeat to compare several. Default: the model's own.", metavar="STAGES"),
    ] = None,
    reducer: Annotated[
        list[str] | None,
        option(
            f"{options.REDUCER_NAMES} Repeat to compare several. Default: the model's own.",
            metavar="NAME",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        option(
            "What video-to-text ranks: caption, each caption by itself, or group, all captions of a video "
            f"together (only {_GROUPED}). Default: caption.",
            metavar="NAME",
        ),
    ] = None,
    rescore: Annotated[
        list[str] | None,
        option("Also rank by corrected scores: dsl, inverted-softmax, qb-norm, csls.", metavar="NAME"),
    ] = None,
    cache: Annotated[
        Path | None, option("Folder that keeps embeddings for later evaluations.", metavar="FOLDER")
    ] = None,
    reverse: Annotated[
        bool,
        option(
            "Also measure whether captions are closer to their videos than to the same frames backwards.",
            "--reverse",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of the bootstrap.")] = 0,
    output: Annotated[
        Path | None,
        option("Also write a JSON report with the rank of every query, for compare.", metavar="FILE"),
    ] = None,
    json: options.Json = False,
    device: options.Device = "auto",
    precision: Annotated[
        str,
        option(
            "float32, bfloat16, int8 (CPU only), or float16 or tf32 (GPU only). Default: float32.",
            metavar="NAME",
        ),
    ] = "float32",
) -> None:
    """Measure recall on a data set, in both directions.

    Below each figure in the table is its 95 % bootstrap interval. Each video is decoded once, and encoded
    with the same weights under every schedule and reducer.

    --rescore corrects scores for videos that are near every caption. Transductive methods use all test
    queries at once; don't compare their figures with the others. qb-norm uses the captions of the training
    split instead, and corrects text-to-video only.

    --reverse asks whether a video is told from its reverse; chance is 50 %. A model that averages frames
    can't, and captions that fit both directions keep any model near chance.

    --reducer and --rescore also accept several names separated by commas.

    Piped output has one figure per line, tab-separated: schedule, reducer, re-scoring, direction, figure,
    value, low and high end of the interval. Recalls (R@K) are in percent; MdR and MnR are the median and
    mean rank.

    \b
    Examples:
      centerclip evaluate --dataset toy-world --videos toy-world --schedule none --schedule B6-4,49
      centerclip evaluate --dataset msvd --videos msvd/videos --annotations msvd --output msvd.json \\
        --schedule B6-4,49 --reducer kmedoids,spectral,pool --protocol group --rescore dsl --cache cache
    """
    from centerclip.cli.costs import machine_name
    from centerclip.cli.loading import load_model, model_name
    from centerclip.datasets import load_dataset, training_captions
    from centerclip.embedding.device import choose_device, prepare
    from centerclip.errors import ConfigError
    from centerclip.evaluation import Circumstances, make_report, write_report
    from centerclip.evaluation import evaluate as measure
    from centerclip.rescoring import RESCORINGS
    from centerclip.schedule import check_schedule

    # Find mistakes before anything is read.
    if output is not None and not output.absolute().parent.is_dir():
        raise ConfigError(f"folder not found: {output.parent}, to write {output.name} to. Create it first")
    for text in schedule or []:
        check_schedule(text)
    rescorings = options.names(rescore)
    data = load_dataset(dataset, split, videos=videos, annotations=annotations, allow_missing=allow_missing)
    if frames is not None:
        if data.frames is not None and frames != data.frames:
            note(
                f"Published figures for {data.name} are for {data.frames} frames per video, not {frames}.",
                style="yellow",
            )
        data = replace(data, frames=frames)
    bank: list[str] = []
    if any(RESCORINGS[name].takes_bank for name in rescorings if name in RESCORINGS):
        bank = training_captions(dataset, data.split, annotations=annotations, videos=videos)
    name = model_name(model, device)
    # With the first schedule, as the model's own may need more frames.
    first = schedule[0] if schedule else None
    loaded = load_model(name, schedule=first, frames=data.frames, backbone=backbone)
    place, encoded, began = choose_device(device), 0, time.monotonic()
    with Bar("Evaluating", unit="videos") as bar:

        def advance(done: int, total: int) -> None:
            nonlocal encoded
            encoded += 1
            bar.advance(done, total)

        results = measure(
            prepare(loaded, place, precision),
            data,
            schedules=schedule or None,
            reducers=options.names(reducer) or None,
            protocol=protocol,
            rescorings=rescorings,
            bank=bank,
            cache=cache,
            allow_missing=allow_missing,
            reverse=reverse,
            seed=seed,
            progress=advance,
        )
    seconds = max(time.monotonic() - began, 1e-3)
    run = Circumstances(
        command=shlex.join(["centerclip", *ctx.obj]),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine_name(place),
        encoded=encoded,
        seconds=round(seconds, 3),
        videos_per_second=round(encoded / seconds, 3),
    )
    report = make_report(results, model=name, seed=seed, run=run)
    if output is not None:
        write_report(report, output)
    if json:
        for record in report.brief():
            write_json(record)
    elif on_terminal():
        show_report(report)
    else:
        write_figures(report)
    if report.missing:
        left_out = count(len(report.missing), "video")
        note(f"{left_out} left out; the JSON lists them as missing.", style="yellow")
    for file in report.failed:
        note(f"{short_path(file.path)}: {file.reason}", indent=2)
