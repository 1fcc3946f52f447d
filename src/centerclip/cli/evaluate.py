"""`centerclip evaluate`: recall on a data set, both directions, under one schedule or several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.figures import show_report, write_figures
from centerclip.cli.formats import count, short_path
from centerclip.cli.options import option
from centerclip.cli.output import note, on_terminal, write_json
from centerclip.cli.progress import Bar
from centerclip.datasets.load import DATASETS, describe_frames, describe_splits

if TYPE_CHECKING:
    from centerclip.evaluation import Report

__all__ = ["evaluate"]


_GROUPED = ", ".join(name for name, spec in DATASETS.items() if "group" in spec.protocols)


def evaluate(
    dataset: Annotated[str, option(f"{', '.join(DATASETS)}, or module:object for your own.", metavar="NAME")],
    videos: Annotated[
        Path | None, option("Folder of its videos; by default that of the annotations.", metavar="FOLDER")
    ] = None,
    annotations: Annotated[
        Path | None,
        option(
            "Folder of its annotation files; for manifest, the file. By default --videos.", metavar="PATH"
        ),
    ] = None,
    split: Annotated[
        str | None,
        option(f"Split to evaluate, by default the set's first. {describe_splits()}.", metavar="NAME"),
    ] = None,
    frames: Annotated[
        int | None,
        option(
            "Frames per video; by default those of the set's protocol "
            f"({describe_frames()}), or else the model's.",
            metavar="N",
            min=1,
        ),
    ] = None,
    allow_missing: Annotated[
        bool,
        option("Leave out videos that are missing or can't be decoded, and list them.", "--allow-missing"),
    ] = False,
    model: options.AnyModel = None,
    backbone: options.Backbone = None,
    schedule: Annotated[
        list[str] | None,
        option(
            "Token schedule: none, stages such as B6-4,49, or fast, balanced or best; by default the "
            "model's. Repeat to compare several.",
            metavar="STAGES",
        ),
    ] = None,
    reducer: Annotated[
        list[str] | None,
        option(
            "How tokens are reduced, such as kmedoids or pool; by default the model's. Repeat to compare "
            "several under each schedule.",
            metavar="NAME",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        option(
            "How video-to-text is ranked: caption, among all captions, or group, among the videos' groups of "
            f"captions ({_GROUPED}); by default caption.",
            metavar="NAME",
        ),
    ] = None,
    rescore: Annotated[
        list[str] | None,
        option("Also rank by corrected scores: dsl, inverted-softmax, qb-norm, csls.", metavar="NAME"),
    ] = None,
    cache: Annotated[
        Path | None,
        option(
            "Folder that keeps embeddings, so that the next evaluation decodes nothing.", metavar="FOLDER"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the bootstrap.")] = 0,
    output: Annotated[
        Path | None,
        option("Also write everything, with the rank of every query, as JSON for compare.", metavar="FILE"),
    ] = None,
    json: options.Json = False,
    device: options.Device = "auto",
    precision: Annotated[
        str, option("float32, bfloat16, or int8 on a CPU; by default float32.", metavar="NAME")
    ] = "float32",
) -> None:
    """Measure recall on a data set, in both directions.

    Below each figure in the table is its 95 % bootstrap interval. Each video is decoded once, and encoded
    with the same weights under every schedule and reducer.

    Scores can be corrected for videos that are near every caption. Transductive methods use all test queries
    at once for this; don't compare their figures with the others. qb-norm uses the captions of the training
    split instead, and corrects text to video only.

    --reducer and --rescore also take several names separated by commas.

    Piped, there is one figure per line, tab-separated: schedule, reducer, re-scoring, direction, figure,
    value, low and high end of the interval. Recalls (R@K) are in percent; MdR and MnR are the median and the
    mean rank.

    \b
    Examples:
      centerclip evaluate --dataset toy-world --videos toy-world --schedule none --schedule B6-4,49
      centerclip evaluate --dataset msvd --videos msvd/videos --annotations msvd --output msvd.json \\
        --schedule B6-4,49 --reducer kmedoids,spectral,pool --protocol group --rescore dsl --cache cache
    """
    from centerclip.cli.loading import load_model, model_name
    from centerclip.datasets import load_dataset, training_captions
    from centerclip.embedding.device import choose_device, prepare
    from centerclip.errors import ConfigError
    from centerclip.evaluation import evaluate as measure
    from centerclip.evaluation import make_report, write_report
    from centerclip.rescoring import RESCORINGS
    from centerclip.schedule import check_schedule

    if output is not None and not output.absolute().parent.is_dir():  # better known before the work
        raise ConfigError(f"folder not found: {output.parent}, to write {output.name} to. Create it first")
    for text in schedule or []:
        check_schedule(text)  # before anything is read
    rescorings = options.names(rescore)
    data = load_dataset(dataset, split, videos=videos, annotations=annotations, allow_missing=allow_missing)
    if frames is not None:
        data = replace(data, frames=frames)
    bank: list[str] = []
    if any(RESCORINGS[name].takes_bank for name in rescorings if name in RESCORINGS):
        bank = training_captions(dataset, data.split, annotations=annotations, videos=videos)
    name = model_name(model)
    loaded = prepare(
        load_model(name, frames=data.frames, backbone=backbone), choose_device(device), precision
    )
    with Bar("Evaluating", unit="videos") as bar:
        results = measure(
            loaded,
            data,
            schedules=schedule or None,
            reducers=options.names(reducer) or None,
            protocol=protocol,
            rescorings=rescorings,
            bank=bank,
            cache=cache,
            allow_missing=allow_missing,
            seed=seed,
            progress=bar.advance,
        )
    report = make_report(results, model=name, seed=seed)
    if output is not None:
        write_report(report, output)
    if json:
        for record in report.brief():
            write_json(record)
    elif on_terminal():
        show_report(report)
    else:
        write_figures(report)
    _tell_missing(report)


def _tell_missing(report: Report) -> None:
    if report.missing:
        note(
            f"{count(len(report.missing), 'video')} left out; the JSON lists them as missing.", style="yellow"
        )
    for file in report.failed:
        note(f"{short_path(file.path)}: {file.reason}", indent=2)
