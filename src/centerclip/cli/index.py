"""`centerclip index`: videos into an index, as many runs as it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.indexing import SOME_FAILED, check_videos, run_indexing, tell
from centerclip.cli.options import argument, option
from centerclip.cli.output import note, on_terminal, write_json, write_tabs
from centerclip.schedule import check_schedule

if TYPE_CHECKING:
    from centerclip.index import VideoIndex
    from centerclip.indexing import FileResult

__all__ = ["index"]


def index(
    ctx: typer.Context,
    paths: Annotated[list[Path] | None, argument("PATH")] = None,
    index: options.IndexLocation = None,
    model: options.Model = None,
    schedule: options.Schedule = None,
    reducer: options.Reducer = None,
    backbone: options.Backbone = None,
    window: Annotated[
        float | None,
        option("Cut longer videos into windows this long; by default 12.", metavar="SEC", min=0.1),
    ] = None,
    prune: Annotated[bool, option("Forget videos below PATH that are no longer there.", "--prune")] = False,
    retry_failed: Annotated[
        bool, option("Try only what failed before; without PATH, all of it.", "--retry-failed")
    ] = False,
    wait: Annotated[
        float, option("Wait for another process that writes to the index; by default 0.", metavar="SEC")
    ] = 0.0,
    json: options.Json = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    backend: options.Backend = "torch",
    workers: Annotated[
        int | None, option("Threads that decode; by default half the cores.", metavar="N", min=1)
    ] = None,
) -> None:
    """Index videos, or bring the index up to date.

    What is new or changed is encoded, what was moved is recognized, the rest left alone, so the same
    command serves for the first time and for every update. A run may be stopped (Ctrl-C) or killed at
    any time; the next one goes on from there. A file that can't be decoded ends nothing: it is listed
    at the end with the reason, the exit code is 3, and it is left alone until it changes or
    --retry-failed is given.

    An index belongs to the model, schedule and window length that made it. They are chosen by its first
    run and are the default of the later ones. A model that was not trained with a schedule gets a
    default one (B6-4,49 for ViT-B/32, about 1.5 times as quick); what that costs in recall has not been
    measured, and --schedule none is the plain model.

    Piped, one file a line as soon as it is written, tab-separated: state (indexed, failed, skipped
    because it failed before, moved, removed), path, windows, reason. Unchanged files are left out.

    \b
    Examples:
      centerclip index ~/Videos
      centerclip index ~/Videos --prune          # later: what changed since
      centerclip index --retry-failed            # after mending files
      centerclip index clips/ --index s3://bucket/clips --model openai/clip-vit-base-patch16
    """
    # Whatever can be wrong is found out before a model is loaded, and the packages that it needs.
    if not (paths or retry_failed):
        raise typer.BadParameter("name at least one video or folder", ctx, param_hint="PATH")
    if schedule is not None:
        check_schedule(schedule)

    from centerclip.index import VideoIndex

    store = VideoIndex(options.index_location(index))
    places = paths or _failed_paths(store)
    if not places:
        note("No file failed before.")
        return
    if not (prune and store.model):  # then even an empty folder has something to say
        check_videos(places)

    from centerclip.cli.loading import load_encoder

    encoder = load_encoder(
        model,
        store.model,
        schedule=schedule,
        reducer=reducer,
        backbone=backbone,
        window_seconds=window,
        device=device,
        precision=precision,
        backend=backend,
        workers=workers,
    )
    if store.model is None:
        note(f"New index, made by {encoder.name} with schedule {encoder.model.schedule}")
    show = _printer(json)
    run = run_indexing(
        encoder, store, places, prune=prune, retry_failed=retry_failed, wait_seconds=wait, on_result=show
    )
    tell(run, store)
    if run.stopped:
        raise typer.Exit(run.stopped)
    if run.failed:
        raise typer.Exit(SOME_FAILED)


def _failed_paths(store: VideoIndex) -> list[Path]:
    return [video.info.path for video in store.failed() if video.info.path.exists()]


def _printer(json: bool) -> Callable[[FileResult], None]:
    """How a file's result is printed: as JSON, as a line for a pipe, or on a terminal not at all."""

    def show(result: FileResult) -> None:
        if result.state == "unchanged":
            return
        if json:
            write_json(asdict(result) | {"path": str(result.path)})
        elif not on_terminal():
            write_tabs((result.state, result.path, result.windows, result.reason))

    return show
