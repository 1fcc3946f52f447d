"""One indexing run on the command line: its bar, Ctrl-C, and a summary on stderr."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from centerclip.cli.formats import count, duration, multiple, short_path, size
from centerclip.cli.output import note
from centerclip.cli.progress import Bar, FootageBar
from centerclip.cli.stopping import StopRequest
from centerclip.errors import VideoError

if TYPE_CHECKING:
    from centerclip.index import Finished, VideoIndex
    from centerclip.indexing import Encoder, FileResult, FolderWatch, Shard
    from centerclip.speech import Recognizer

__all__ = [
    "SOME_FAILED",
    "STOPPING",
    "Outcome",
    "Wanted",
    "check_videos",
    "report",
    "report_failures",
    "run_indexing",
    "summary_of",
    "sync_once",
]

STOPPING = "\nStopping; what is encoded is kept. Press Ctrl-C again to stop now."
SOME_FAILED = 3
"""Exit code of a run that finished, but in which some files failed."""

_LISTED = 20
"""Maximum number of failed files that are listed."""


def check_videos(paths: Sequence[Path], store: VideoIndex | None = None) -> None:
    """Check, before a model is loaded, that there is something to index.

    Args:
        paths: files, folders and addresses.
        store: addresses that it has need not be there any more.

    Raises:
        VideoError: a path doesn't exist, or there is no video at any of them.
    """
    from centerclip.video import find_videos

    errors: list[OSError] = []

    def is_known(path: Path) -> bool:
        return store is not None and bool(store.below([path]))

    found = [next(find_videos([path], on_error=errors.append, is_known=is_known), None) for path in paths]
    if not any(found):
        if errors:
            raise VideoError(f"{errors[0].filename}: can't be listed ({errors[0].strerror})")
        names = ", ".join(map(str, paths))
        raise VideoError(
            f"{names}: no files with the extension of a video; to try a file anyway, name the file itself"
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to bring up to date, and how.

    `recognizer` hears videos without subtitles; `show` is called with each result; `spool` is where videos at
    addresses are downloaded; other runs do the rest of the files beside those of `shard`.
    """

    encoder: Encoder
    store: VideoIndex
    recognizer: Recognizer | None = None
    prune: bool = False
    retry_failed: bool = False
    wait_seconds: float = 0.0
    shard: Shard | None = None
    show: Callable[[FileResult], None] = lambda _: None
    spool: Path | None = None


@dataclass(slots=True)
class Outcome:
    """What a run did; `unheard` are the files of which not all words can be read."""

    states: Counter[str] = field(default_factory=Counter)
    failed: list[FileResult] = field(default_factory=list)
    unheard: list[FileResult] = field(default_factory=list)
    heard: int = 0
    cues: int = 0
    finished: Finished | None = None
    footage_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        return SOME_FAILED if self.failed or self.unheard else 0


def run_indexing(wanted: Wanted, paths: Sequence[Path]) -> int:
    """Update an index with a bar, and print a summary on stderr.

    Ctrl-C or SIGTERM ends the run early and keeps what is encoded.

    Returns:
        The exit code: 0, `SOME_FAILED`, or 128 plus the number of the signal.
    """
    with StopRequest(STOPPING) as request:
        outcome = sync_once(wanted, paths, request)
    report(wanted, outcome, stopped=bool(request))
    return request.exit_code or outcome.exit_code


def sync_once(
    wanted: Wanted, paths: Sequence[Path], request: StopRequest, watch: FolderWatch | None = None
) -> Outcome:
    """Update an index with a bar; `watch` says which files to leave for later."""
    from centerclip.indexing import SyncOptions, SyncProgress, sync

    outcome, began = Outcome(), time.monotonic()
    with FootageBar("Indexing") as bar, Bar("Reading words", unit="videos") as words:

        def follow(progress: SyncProgress) -> None:
            outcome.footage_seconds = progress.footage_seconds
            bar.follow(progress)

        def count_heard(done: int, total: int) -> None:
            bar.close()
            words.advance(done, total)

        def finish(finished: Finished) -> None:
            outcome.finished = finished

        options = SyncOptions(
            prune=wanted.prune,
            retry_failed=wanted.retry_failed,
            recognizer=wanted.recognizer,
            wait_seconds=wanted.wait_seconds,
            spool_folder=wanted.spool,
            shard=wanted.shard,
            on_progress=follow,
            on_listen=count_heard,
            on_finish=finish,
            should_stop=lambda: bool(request),
        )
        if watch is not None:
            options = replace(options, careful=True, is_growing=watch.is_growing)
        with closing(sync(wanted.store, paths, wanted.encoder, options)) as results:
            for result in results:
                outcome.states[result.state] += 1
                if result.state == "failed":
                    outcome.failed.append(result)
                elif result.state == "heard":
                    outcome.heard += bool(result.cues)
                    outcome.cues += result.cues
                    outcome.unheard += [result] if result.reason else []
                wanted.show(result)
    outcome.seconds = time.monotonic() - began
    return outcome


def report(wanted: Wanted, outcome: Outcome, *, stopped: bool = False) -> None:
    """Print what a run did, and what the index contains."""
    store, states, finished = wanted.store, outcome.states, outcome.finished
    if stopped:
        videos = store.stats().videos if store.model else 0
        note(f"Stopped. The index contains {count(videos, 'video')}; run the same command to continue.")
    else:
        note(summary_of(outcome))
    if outcome.cues:
        note(f"Read what is said in {count(outcome.heard, 'video')}: {count(outcome.cues, 'cue')}.")
    if finished is not None:
        held = finished.stats
        note(
            f"The index contains {count(held.videos, 'video')} in {count(held.windows, 'window')}, "
            f"{size(held.size_bytes)}, at {short_path(store.location)}"
        )
        if finished.built_ann:
            note("The index is large, so it now has an approximate search index as well.")
    if states["skipped"]:
        skipped = count(states["skipped"], "unchanged file")
        note(f"Skipped {skipped} that failed before; to retry, add --retry-failed.")
    if states["missing"]:
        gone = count(states["missing"], "indexed file")
        verb = "isn't" if states["missing"] == 1 else "aren't"
        note(f"{gone} {verb} there any more; to remove what was deleted from the index, {_how(wanted)}.")
    report_failures(outcome)


def _how(wanted: Wanted) -> str:
    # A run that watches leaves files alone whose folder is empty, because a disk may not be mounted.
    return "run `centerclip index PATH --prune` once" if wanted.prune else "add --prune"


def report_failures(outcome: Outcome) -> None:
    """List the files that failed in a run, and those of which not all words can be read."""
    failed, unheard = outcome.failed, outcome.unheard
    _list(failed, f"{count(len(failed), 'file')} failed:", "centerclip info lists them all")
    _list(unheard, f"Not all words of {count(len(unheard), 'video')} can be read:", "--json shows them all")


def _list(results: Sequence[FileResult], title: str, more: str) -> None:
    """Print files and reasons; `more` says where to find the rest of a long list."""
    if results:
        note(title, style="red")
        for result in results[:_LISTED]:
            note(f"{short_path(result.path)}: {result.reason}", indent=2)
        if len(results) > _LISTED:
            note(f"... and {len(results) - _LISTED:,} more; {more}", indent=2)


def summary_of(outcome: Outcome) -> str:
    """Return one line about a run."""
    states = outcome.states
    took = f"{duration(outcome.footage_seconds)} of footage in {duration(outcome.seconds)}"
    if outcome.footage_seconds and outcome.seconds:
        took += f" ({multiple(outcome.footage_seconds / outcome.seconds)})"
    parts = [
        f"{states[state]:,} {state}" for state in ("failed", "moved", "copied", "removed") if states[state]
    ]
    unchanged = count(states["unchanged"], "video") + " unchanged"
    if not (states["indexed"] or parts):
        return f"Up to date: {unchanged}." if states["unchanged"] else "Nothing to encode."
    parts += [unchanged] if states["unchanged"] else []
    if states["indexed"] or states["failed"]:
        parts.insert(0, f"Indexed {count(states['indexed'], 'video')}: {took}")
    return f"{parts[0]}; {', '.join(parts[1:])}." if len(parts) > 1 else f"{parts[0]}."
