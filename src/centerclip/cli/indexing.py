"""One indexing run as its user lives it: a bar, a stop that loses nothing, and a word on what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from centerclip.cli.formats import count, duration, short_path, size
from centerclip.cli.output import note
from centerclip.cli.progress import Bar
from centerclip.cli.stopping import StopRequest
from centerclip.errors import VideoError

if TYPE_CHECKING:
    from centerclip.embedding import VideoEncoder
    from centerclip.index import Summary, VideoIndex
    from centerclip.indexing import FileResult, Progress

__all__ = ["SOME_FAILED", "Run", "check_videos", "run_indexing", "tell"]

SOME_FAILED = 3
"""The exit code of a run that is done, but for some files."""

_LISTED = 20
"""Failed files that are listed; of more, the number is told."""


@dataclass
class Run:
    """What a run did: files by state, those that failed, and how it ended.

    `stopped` is the exit code of a run that was asked to stop, 0 of one that went to its end.
    """

    states: Counter[str] = field(default_factory=Counter)
    failed: list[FileResult] = field(default_factory=list)
    windows: int = 0
    footage_seconds: float = 0.0
    took_seconds: float = 0.0
    summary: Summary | None = None
    stopped: int = 0

    def add(self, result: FileResult) -> None:
        self.states[result.state] += 1
        if result.state == "failed":
            self.failed.append(result)

    def finish(self, summary: Summary) -> None:
        self.summary = summary


def check_videos(paths: Sequence[Path]) -> None:
    """Find out, before a model is loaded, whether there is anything to index.

    Raises:
        VideoError: a path is missing, or there is no video at any of them.
    """
    from centerclip.video import find_videos

    found = [next(find_videos([path]), None) for path in paths]
    if not any(found):
        names = ", ".join(map(str, paths))
        raise VideoError(
            f"{names}: no videos there, by the endings of the names; name a file itself to try it"
        )


def run_indexing(
    encoder: VideoEncoder,
    store: VideoIndex,
    paths: Sequence[Path],
    *,
    prune: bool = False,
    retry_failed: bool = False,
    wait_seconds: float = 0.0,
    on_result: Callable[[FileResult], None] = lambda _: None,
) -> Run:
    """Bring an index up to date, with a bar; Ctrl-C or SIGTERM ends it early, and what is encoded is kept."""
    from centerclip.indexing import SyncOptions, sync

    run, began = Run(), time.monotonic()
    request = StopRequest("\nStopping; what is encoded is kept. Ctrl-C again stops at once.")
    with request, Bar("Indexing", unit="files", rate="videos/s") as bar:

        def watch(progress: Progress) -> None:
            run.windows, run.footage_seconds = progress.windows, progress.footage_seconds
            footage = f"{duration(progress.footage_seconds)} of footage" if progress.windows else ""
            bar.advance(progress.files, progress.total, footage)

        options = SyncOptions(
            prune=prune,
            retry_failed=retry_failed,
            wait_seconds=wait_seconds,
            on_progress=watch,
            on_finish=run.finish,
            should_stop=lambda: bool(request),
        )
        with closing(sync(store, paths, encoder, options)) as results:
            for result in results:
                run.add(result)
                on_result(result)
        run.stopped = request.exit_code
    run.took_seconds = time.monotonic() - began
    return run


def tell(run: Run, store: VideoIndex) -> None:
    """Say on stderr what a run did, what the index holds now, and which files failed."""
    if run.stopped:
        videos = store.stats().videos if store.model else 0
        note(f"Stopped. The index holds {count(videos, 'video')}; the same command goes on from there.")
    else:
        note(_done(run))
    if run.summary is not None:
        held = run.summary
        note(
            f"The index holds {count(held.videos, 'video')} in {count(held.windows, 'window')}, "
            f"{size(held.size_bytes)}, at {short_path(store.location)}"
        )
        if held.built_ann:
            note("It is large now, so an approximate search index was built beside it.")
    if run.states["skipped"]:
        note(
            f"{count(run.states['skipped'], 'file')} failed before and did not change: "
            "--retry-failed tries again."
        )
    _tell_failed(run.failed)


def _done(run: Run) -> str:
    parts = [f"{run.states[state]:,} {state}" for state in ("failed", "moved", "removed", "unchanged")]
    rest = ", ".join(part for part in parts if not part.startswith("0 "))
    if not run.states["indexed"] and not run.failed:
        return f"Nothing to encode: {rest or 'no videos'}."
    work = (
        f"Indexed {count(run.states['indexed'], 'video')}: {duration(run.footage_seconds)} of footage "
        f"in {duration(run.took_seconds)}"
    )
    return f"{work}; {rest}." if rest else f"{work}."


def _tell_failed(failed: Sequence[FileResult]) -> None:
    if not failed:
        return
    note(f"{count(len(failed), 'file')} failed:", style="red")
    for result in failed[:_LISTED]:
        note(f"{short_path(result.path)}: {result.reason}", indent=2)
    if len(failed) > _LISTED:
        note(f"... and {len(failed) - _LISTED:,} more: centerclip info lists them all", indent=2)
