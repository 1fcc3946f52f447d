"""`centerclip pretrained`: what reductions change in a model that wasn't trained with them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from centerclip.cli import options
from centerclip.cli.formats import count, short_path
from centerclip.cli.options import argument, option
from centerclip.cli.output import note, on_terminal, stdout, table, write_json, write_tabs
from centerclip.cli.progress import Bar

if TYPE_CHECKING:
    from centerclip.lab.pretrained import Findings, Row
    from centerclip.metrics import Estimate

__all__ = ["pretrained"]

_SCHEDULES = ("fast", "balanced", "best")
_REDUCERS = ("kmedoids", "kmedoids(weighted=true)", "spectral", "spectral(weighted=true)", "merge", "sample")


def pretrained(
    videos: Annotated[list[Path], argument("VIDEOS...")],
    model: options.Model = None,
    backbone: options.Backbone = None,
    frames: Annotated[
        int | None, option("Frames per half. Default: the model's own, or 12.", metavar="N", min=2)
    ] = None,
    fewer: Annotated[
        list[int] | None,
        option(
            "Also use the plain model on this number of frames; repeat for several. Default: two thirds, "
            "half and a third of --frames.",
            metavar="N",
            min=1,
        ),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        option(f"{options.STAGES} Repeat for several. Default: {', '.join(_SCHEDULES)}.", metavar="STAGES"),
    ] = None,
    reducer: Annotated[
        list[str] | None,
        option(
            f"{options.REDUCER_NAMES} Repeat for several. Default: {', '.join(_REDUCERS)}.", metavar="NAME"
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        option(
            "Data set of the videos: also rank them by its captions. Default: only videos.", metavar="NAME"
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        option("Folder of the annotation files; for manifest, the file. Default: VIDEOS.", metavar="PATH"),
    ] = None,
    cache: Annotated[
        Path | None,
        option("Folder that keeps embeddings, so that a stopped run continues.", metavar="FOLDER"),
    ] = None,
    document: Annotated[
        Path | None,
        option(
            "Also write the table into a Markdown file, between its lines <!-- pretrained --> and "
            "<!-- end of pretrained -->.",
            metavar="FILE",
        ),
    ] = None,
    json: options.Json = False,
    device: options.Device = "auto",
) -> None:
    """Measure what reductions change in a model that wasn't trained with them.

    VIDEOS are files and folders, each a clip that is cut in the middle. Each half is embedded by the plain
    model, on fewer frames, and under every schedule with every reducer. The table shows, beside the
    multiply-adds: the cosine of the embedding with the plain model's; how often class (for classifiers) and
    nearest other clip stay the same; how often a half finds the other half of its clip. With --dataset, also
    how often a caption finds its video.

    Any model will do. For a ViTForImageClassification of transformers, which has no text tower, give
    --backbone centerclip.lab.pretrained.vit:ViTClassifier.

    Piped output has one variant per line, tab-separated: schedule, reducer, frames, multiply-adds, cosine
    with low and high end of its interval, then the other figures.

    \b
    Examples:
      centerclip pretrained clips --model openai/clip-vit-base-patch32 --cache cache
      centerclip pretrained msrvtt/videos --dataset msrvtt --annotations msrvtt --schedule balanced \\
        --reducer 'kmedoids,kmedoids(weighted=true)'
    """
    from centerclip.cli.loading import load_model, model_name
    from centerclip.datasets import load_dataset
    from centerclip.embedding.device import choose_device, prepare
    from centerclip.errors import ConfigError
    from centerclip.lab.pretrained import measure_pretrained, write_into
    from centerclip.lab.pretrained.report import check_document
    from centerclip.records import Item
    from centerclip.schedule import check_schedule
    from centerclip.video import find_videos

    # Find mistakes before anything is read.
    schedules = schedule or list(_SCHEDULES)
    for text in schedules:
        check_schedule(text)
    if document is not None:
        check_document(document)
    if dataset is None:
        data, clips = None, [Item(path) for path in find_videos(videos)]
    elif len(videos) == 1:
        data = load_dataset(dataset, videos=videos[0], annotations=annotations, allow_missing=True)
        clips = list(data.videos)
    else:
        raise ConfigError(f"--dataset needs the folder of its videos, but VIDEOS are {len(videos)}: give one")
    loaded = load_model(model_name(model), schedule="none", frames=frames, backbone=backbone)
    counts = fewer or sorted({max(1, loaded.frames * part // 12) for part in (4, 6, 8)}, reverse=True)
    with Bar("Embedding", unit="halves") as bar:
        findings = measure_pretrained(
            prepare(loaded, choose_device(device), "float32"),
            clips,
            schedules=schedules,
            reducers=options.names(reducer) or _REDUCERS,
            fewer=counts,
            dataset=data,
            cache=cache,
            on_progress=bar.advance,
        )
    if document is not None:
        write_into(findings, document)
    if json or not on_terminal():
        for row in findings.rows:
            _write(row, json=json)
    else:
        _show(findings)
    for file in findings.failed:
        note(f"{short_path(file.path)}: {file.reason}", indent=2)


def _write(row: Row, *, json: bool) -> None:
    if json:
        write_json(asdict(row))
        return
    figures = (row.cosine, row.gain, row.top_1, row.neighbor, row.halves, row.text)
    shown = [f"{number:.5g}" for figure in figures for number in _numbers(figure)]
    write_tabs((row.schedule, row.reducer, row.frames, row.multiply_adds, *shown))


def _numbers(figure: Estimate | None) -> tuple[float, float, float]:
    nothing = float("nan")
    return (nothing, nothing, nothing) if figure is None else (figure.value, figure.low, figure.high)


def _show(findings: Findings) -> None:
    heads = ("frames", "cost", "cosine", "class %", "neighbor %", "other half R@1", "text R@1")
    rows = table("schedule", "reducer", *heads, right=heads)
    for row in findings.rows:
        shown = (row.top_1, row.neighbor, row.halves, row.text)
        rows.add_row(
            row.schedule,
            row.reducer,
            str(row.frames),
            f"{row.cost:.3f}",
            f"{row.cosine.value:.4f}",
            *("" if figure is None else f"{figure.value:.1f}" for figure in shown),
        )
    stdout().print(f"{count(findings.clips, 'clip')}, cut in the middle")
    stdout().print(rows)
