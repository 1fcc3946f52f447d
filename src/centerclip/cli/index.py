"""`centerclip index`: create an index of videos, or update it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.distributing import encoding_on, parse_shard
from centerclip.cli.indexing import Wanted, check_videos, run_indexing
from centerclip.cli.options import option, places
from centerclip.cli.output import note, on_terminal, write_json, write_tabs
from centerclip.cli.watching import watch_indexing
from centerclip.errors import VideoError
from centerclip.records import DECODE_ON, SAMPLINGS
from centerclip.remote import is_address, may_exist
from centerclip.schedule import check_schedule

if TYPE_CHECKING:
    from centerclip.indexing import FileResult

__all__ = ["index"]


def index(
    ctx: typer.Context,
    paths: Annotated[list[Path] | None, places("PATH")] = None,
    index: options.IndexLocation = None,
    storage: options.StorageOptions = None,
    model: options.IndexModel = None,
    schedule: Annotated[
        str | None, option(f"{options.STAGES} Default: the index's or the model's own.", metavar="STAGES")
    ] = None,
    reducer: Annotated[
        str | None,
        option(f"{options.REDUCER_NAMES} Default: the index's or the model's own.", metavar="NAME"),
    ] = None,
    backbone: options.Backbone = None,
    window: Annotated[
        float | None,
        option("Maximum length of a window. Default: the index's own, or 12.", metavar="SEC", min=0.1),
    ] = None,
    sampling: Annotated[
        str | None,
        option(
            "Frame that represents a stride of a window: cheapest (to decode), keys (key frames only, where "
            "there are enough), budget (keys where that saves much decoding, else cheapest), or center. "
            "Default: the index's own, or cheapest.",
            metavar="NAME",
        ),
    ] = None,
    decode_on: Annotated[
        str,
        option(
            "Where to decode: cpu, or gpu (NVIDIA and others; what it can't decode, the CPU does). "
            "Default: cpu.",
            metavar="NAME",
        ),
    ] = "cpu",
    prune: Annotated[bool, option("Remove deleted videos below PATH from the index.", "--prune")] = False,
    retry_failed: Annotated[
        bool, option("Retry only files that failed before. Default PATH: all of them.", "--retry-failed")
    ] = False,
    watch: Annotated[
        bool, option("Then go on: index what is added or changes, until Ctrl-C.", "--watch")
    ] = False,
    poll: options.Poll = None,
    spool: Annotated[
        Path | None,
        option(
            "Folder where videos at addresses are downloaded, to be deleted once they are encoded. Default: "
            "one in your cache folder.",
            metavar="FOLDER",
        ),
    ] = None,
    speech: Annotated[
        str | None,
        option(
            "Also recognize speech in videos without subtitles: a folder or name of a faster-whisper model, "
            "such as small (pip install 'centerclip[speech]').",
            metavar="MODEL",
        ),
    ] = None,
    wait: Annotated[
        float,
        option("How long to wait while another process writes to the index. Default: 0.", metavar="SEC"),
    ] = 0.0,
    ray: Annotated[
        str | None,
        option(
            "Encode on a Ray cluster: HOST:PORT of its head, auto (this machine is a node of it), or local "
            "(start one here) (pip install 'centerclip[distributed]').",
            metavar="ADDRESS",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        option(
            "Do only part I of N equal parts of the files, while other runs do the others: 1/4, 2/4, ...",
            metavar="I/N",
        ),
    ] = None,
    json: options.Json = False,
    device: options.Device = "auto",
    precision: options.IndexPrecision = "auto",
    backend: options.Backend = "auto",
    workers: Annotated[
        int | None,
        option("Decoding threads. Default: one per core, up to 16.", metavar="N", min=1),
    ] = None,
) -> None:
    """Index videos, or update an index.

    Only new and changed videos are encoded; moved ones are recognized. You can stop a run (Ctrl-C) or kill
    it at any time: the next one continues. Unreadable files don't stop the run. They are listed at the end
    with the reason, and the exit code is 3. Later runs skip them until they change or --retry-failed is
    given.

    An index belongs to one model, schedule, reducer, window length and sampling. Its first run chooses them,
    and later runs use them by default. An index that began with floats never takes int8. A model that was
    trained without a schedule gets a default one (B6-4,49 for ViT-B/32, about 1.5 times as fast). Its effect
    on recall has not been measured; --schedule none turns it off.

    On a CPU, a run of several hours of footage may be faster with OpenVINO (pip install
    'centerclip[openvino]') and for a new index in int8. The first such run compares them, which takes at most
    a tenth of its time; info shows the result.

    With --watch, a file is indexed once it hasn't changed for two seconds, and the model stays loaded. A
    folder that vanishes, such as an unplugged disk, keeps its videos in the index, and is watched again when
    it is back. With --prune, deleted videos are removed too, except while their folder is empty.

    What is said is indexed too: subtitles beside a video (film.srt, film.en.vtt, film.ass) and in it, and
    with --speech what a speech model hears in the others. Changed subtitles are read again without encoding
    the video. Subtitles that can't be read are listed, and the video is indexed all the same.

    A PATH may also be an address: s3://, gs:// and az:// name an object or what is below it, http:// and
    https:// a file. Such videos are downloaded whole to be indexed, a few at a time, and deleted again; later
    runs read only what is new. Credentials are those of the environment (AWS_ACCESS_KEY_ID...). --watch
    doesn't watch addresses.

    With --ray, files are decoded and encoded on all nodes of a cluster, with the rows of a run on one
    machine. With --shard, several runs, maybe on several machines, share the work. Either needs the files at
    the same paths everywhere (docs/distributed.md).

    Piped output has one file per line, written as soon as it is done, tab-separated: state (indexed, failed,
    skipped because it failed before, moved, copied, missing, removed), path, windows, reason. Unchanged files
    are left out. A video whose words were read has a line with the state heard, its number of cues, and what
    can't be read.

    \b
    Examples:
      centerclip index ~/Videos
      centerclip index ~/Videos --prune          # later: only what changed
      centerclip index ~/Videos --watch          # keep it up to date
      centerclip index --retry-failed            # after repairing files
      centerclip index ~/Videos --speech small   # also recognize speech
      centerclip index s3://bucket/videos/ https://example.org/film.mp4
      centerclip index clips/ --index s3://bucket/clips --model openai/clip-vit-base-patch16
    """
    # Find mistakes before loading a model and the packages that it needs.
    if not (paths or retry_failed):
        raise typer.BadParameter("name at least one video or folder", ctx, param_hint="PATH")
    if (watch and retry_failed) or (poll is not None and not watch):
        rule = "--watch and --retry-failed exclude each other" if watch else "--poll needs --watch"
        raise typer.BadParameter(rule, ctx, param_hint="--watch" if watch else "--poll")
    if watch and (unwatched := next(filter(is_address, paths or ()), None)):
        rule = f"{unwatched} can't be watched: run the command without --watch every now and then"
        raise typer.BadParameter(rule, ctx, param_hint="--watch")
    if schedule is not None:
        check_schedule(schedule)
    chosen = next((known for known in SAMPLINGS if known == sampling), None)
    if sampling is not None and chosen is None:
        names = ", ".join(SAMPLINGS)
        raise typer.BadParameter(f"{sampling!r} is not one of {names}", ctx, param_hint="--sampling")
    if decode_on not in DECODE_ON:
        rule = f"{decode_on!r} is not one of {', '.join(DECODE_ON)}"
        raise typer.BadParameter(rule, ctx, param_hint="--decode-on")
    shares = parse_shard(shard, ctx, apart_from={"--ray": ray is not None, "--watch": watch})

    from centerclip.index import VideoIndex

    store = VideoIndex(options.index_location(index), storage_options=options.storage_options(storage))
    failed = (video.info.path for video in store.failed())
    unheard = store.spoken.transcripts().with_problems()
    wanted_paths = paths or list(dict.fromkeys(filter(may_exist, (*failed, *unheard))))
    if not wanted_paths:
        note("No failed files to retry.")
        return
    if not (watch or (prune and store.model)):  # with --prune, a folder may have become empty
        check_videos(wanted_paths, store)
    elif not any(map(may_exist, wanted_paths)):
        names = ", ".join(map(str, wanted_paths))
        raise VideoError(f"{names}: there is no such file or folder; check the spelling")

    from centerclip.cli.loading import load_encoder, load_recognizer
    from centerclip.indexing import Shard, estimate_windows

    there = list(filter(may_exist, wanted_paths)) if watch else wanted_paths

    recognizer = load_recognizer(speech, device) if speech is not None else None
    length = window or (store.model.window_seconds if store.model else 12.0)
    encoder = load_encoder(
        model,
        store.model,
        schedule=schedule,
        reducer=reducer,
        backbone=backbone,
        window_seconds=window,
        sampling=chosen,
        decode_on=decode_on,
        device=device,
        precision=precision,
        backend=backend,
        workers=workers,
        windows=partial(estimate_windows, store, there, length, retry_failed=retry_failed),
        shared=shares is not None,
    )
    if store.model is None:
        note(f"Creating an index with {encoder.name}, schedule {encoder.model.schedule}")

    def show(result: FileResult) -> None:
        if result.state == "unchanged":
            return
        if json:
            write_json(asdict(result) | {"path": str(result.path)})
        elif not on_terminal():
            write_tabs((result.state, result.path, result.windows or result.cues, result.reason))
        sys.stdout.flush()  # readers of a pipe wait for each file

    with encoding_on(ray, encoder, workers) as at_work:
        part = Shard(*shares) if shares else None
        wanted = Wanted(at_work, store, recognizer, prune, retry_failed, wait, part, show, spool)
        if watch:
            code = watch_indexing(wanted, wanted_paths, poll_seconds=poll)
        else:
            code = run_indexing(wanted, wanted_paths)
    raise typer.Exit(code)
