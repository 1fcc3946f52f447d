"""`centerclip evaluate`: recall on a data set, both directions, for one schedule or several."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from centerclip.cli import options
from centerclip.cli.formats import count
from centerclip.cli.options import option
from centerclip.cli.output import on_terminal, stdout, table, write_json, write_tabs
from centerclip.cli.progress import Bar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from centerclip.datasets import Dataset
    from centerclip.datasets.frames import FrameSource
    from centerclip.evaluation import Evaluation

__all__ = ["evaluate"]

_SHOWN = ("R@1", "R@5", "R@10", "MdR", "MnR")
"""The figures of the table; the piped forms have them all."""
_DIRECTIONS = {"text to video": "text_to_video", "video to text": "video_to_text"}


def evaluate(
    dataset: Annotated[
        str, option("msrvtt, msvd, lsmdc, activitynet, didemo, toy-world, or manifest.", metavar="NAME")
    ],
    videos: Annotated[Path | None, option("The folder of its videos.", metavar="FOLDER")] = None,
    annotations: Annotated[Path | None, option("Its annotation files, if any.", metavar="PATH")] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="Which part of it, such as 1k-A.")] = "test",
    allow_missing: Annotated[
        bool, option("Go on without videos that are not there, and say how many.", "--allow-missing")
    ] = False,
    model: options.Model = None,
    schedule: Annotated[
        list[str] | None,
        option(
            "Token schedule, such as none or B6-4,49; several are compared; by default the model's.",
            metavar="STAGES",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the bootstrap.")] = 0,
    output: Annotated[
        Path | None, option("Also write everything, with the rank of every query, as JSON.", metavar="FILE")
    ] = None,
    json: options.Json = False,
    device: options.Device = "auto",
) -> None:
    """Measure recall on a data set, in both directions.

    Every figure comes with its 95 % bootstrap interval, below it in the table. The same weights serve
    every schedule.

    Piped, one figure a line, tab-separated: schedule, direction, figure, value, low and high end of the
    interval. Recalls (R@K) are in percent; MdR and MnR are the median and the mean rank.

    \b
    Example:
      centerclip evaluate --dataset toy-world --videos toy-world --schedule none --schedule B6-4,49
    """
    from centerclip.cli.loading import load_model, model_name
    from centerclip.datasets import load_dataset
    from centerclip.datasets.frames import open_frames
    from centerclip.encoder.device import choose_device
    from centerclip.evaluation import evaluate as measure
    from centerclip.schedule import check_schedule

    schedules = schedule or []
    for text in schedules:
        check_schedule(text)  # before anything is read
    data = load_dataset(dataset, split, videos=videos, annotations=annotations, allow_missing=allow_missing)
    name = model_name(model)
    loaded = load_model(name).to(choose_device(device))
    with Bar("Evaluating", unit="videos") as bar:
        frames = _Watched(
            open_frames(data.videos, loaded.image_size), bar, len(data.videos) * max(1, len(schedules))
        )
        results = measure(loaded, data, schedules=schedules or None, source=frames, seed=seed)
    reports = [_report(result, name, data, seed) for result in results]
    if output is not None:
        output.write_text(json_format.dumps(reports, indent=1) + "\n", encoding="utf-8")
    for report, result in zip(reports, results, strict=True):
        if json:
            write_json({key: value for key, value in report.items() if not key.endswith("_ranks")})
        elif not on_terminal():
            _write_figures(result)
    if not json and on_terminal():
        _show(results, name, data, seed)


class _Watched:
    """A source of frames that moves a bar."""

    def __init__(self, source: FrameSource, bar: Bar, total: int) -> None:
        self._source, self._bar, self._total = source, bar, total
        self._done = 0

    def batch(
        self, items: Sequence[int], frames: int, rng: np.random.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        batch = self._source.batch(items, frames, rng)
        self._done += len(items)
        self._bar.advance(self._done, self._total)
        return batch


def _report(result: Evaluation, model: str, data: Dataset, seed: int) -> dict[str, Any]:
    """All of a result and where it comes from, ready for JSON."""
    figures = {
        key: value.tolist() if hasattr(value, "tolist") else value for key, value in asdict(result).items()
    }
    packages = ("centerclip", "torch", "transformers", "av")
    return {
        "dataset": data.name,
        "split": data.split,
        "model": model,
        **figures,
        "seed": seed,
        "versions": {package: version(package) for package in packages},
    }


def _write_figures(result: Evaluation) -> None:
    for direction, field in _DIRECTIONS.items():
        for figure, estimate in getattr(result, field).labeled().items():
            values = (f"{value:.2f}" for value in (estimate.value, estimate.low, estimate.high))
            write_tabs((result.schedule, direction, figure, *values))


def _show(results: Sequence[Evaluation], model: str, data: Dataset, seed: int) -> None:
    from rich.text import Text

    first = results[0]
    stdout().print(
        f"{data.name} {data.split}: {count(first.videos, 'video')}, {count(first.captions, 'caption')}"
        + (f", {count(len(data.missing), 'video')} missing" if data.missing else "")
    )
    stdout().print(
        f"{model}, {first.frames} frames, {first.reducer}; intervals 95 %, seed {seed}\n", style="dim"
    )
    rows = table("schedule", "direction", *_SHOWN, right=_SHOWN)
    for result in results:
        for direction, field in _DIRECTIONS.items():
            estimates = getattr(result, field).labeled()
            cells = [
                Text(f"{estimates[figure].value:.1f}\n").append(
                    f"{estimates[figure].low:.1f}–{estimates[figure].high:.1f}", style="dim"
                )
                for figure in _SHOWN
            ]
            rows.add_row(result.schedule, direction, *cells)
    stdout().print(rows)
