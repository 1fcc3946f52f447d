"""One indexing run on the command line: its bar, Ctrl-C, and a summary on stderr."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from centerclip.cli.formats import count, duration, multiple, short_path, size
from centerclip.cli.output import note
from centerclip.cli.progress import Bar, FootageBar
from centerclip.cli.stopping import StopRequest
from centerclip.errors import VideoError

if TYPE_CHECKING:
    from centerclip.embedding import VideoEncoder
    from centerclip.index import Finished, VideoIndex
    from centerclip.indexing import FileResult
    from centerclip.speech import Recognizer

__all__ = ["SOME_FAILED", "check_videos", "run_indexing"]

SOME_FAILED = 3
"""Exit code of a run that finished, but in which some files failed."""

_LISTED = 20
"""Maximum number of failed files that are listed."""


def check_videos(paths: Sequence[Path]) -> None:
    """Check, before a model is loaded, that there is something to index.

    Raises:
        VideoError: a path doesn't exist, or there is no video at any of them.
    """
    from centerclip.video import find_videos

    errors: list[OSError] = []
    found = [next(find_videos([path], on_error=errors.append), None) for path in paths]
    if not any(found):
        if errors:
            raise VideoError(f"{errors[0].filename}: can't be listed ({errors[0].strerror})")
        names = ", ".join(map(str, paths))
        raise VideoError(
            f"{names}: no files with the extension of a video; to try a file anyway, name the file itself"
        )


def run_indexing(
    encoder: VideoEncoder,
    store: VideoIndex,
    paths: Sequence[Path],
    *,
    prune: bool = False,
    retry_failed: bool = False,
    recognizer: Recognizer | None = None,
    wait_seconds: float = 0.0,
    on_result: Callable[[FileResult], None] = lambda _: None,
) -> int:
    """Update an index with a bar, and print a summary on stderr.

    Ctrl-C or SIGTERM ends the run early and keeps what is encoded.

    Returns:
        The exit code: 0, `SOME_FAILED`, or 128 plus the number of the signal.
    """
    from centerclip.indexing import SyncOptions, SyncProgress, sync

    states: Counter[str] = Counter()
    failed: list[FileResult] = []
    unheard: list[FileResult] = []
    heard = cues = 0
    finished: list[Finished] = []
    last, began = SyncProgress(0, 0), time.monotonic()
    request = StopRequest("\nStopping; what is encoded is kept. Press Ctrl-C again to stop now.")
    with request, FootageBar("Indexing") as bar, Bar("Reading words", unit="videos") as words:

        def watch(progress: SyncProgress) -> None:
            nonlocal last
            last = progress
            bar.follow(progress)

        def count_heard(done: int, total: int) -> None:
            bar.close()
            words.advance(done, total)

        options = SyncOptions(
            prune=prune,
            retry_failed=retry_failed,
            recognizer=recognizer,
            wait_seconds=wait_seconds,
            on_progress=watch,
            on_listen=count_heard,
            on_finish=finished.append,
            should_stop=lambda: bool(request),
        )
        with closing(sync(store, paths, encoder, options)) as results:
            for result in results:
                states[result.state] += 1
                if result.state == "failed":
                    failed.append(result)
                elif result.state == "heard":
                    heard, cues = heard + bool(result.cues), cues + result.cues
                    unheard += [result] if result.reason else []
                on_result(result)
    seconds = time.monotonic() - began
    took = f"{duration(last.footage_seconds)} of footage in {duration(seconds)}"
    if last.footage_seconds and seconds:
        took += f" ({multiple(last.footage_seconds / seconds)})"
    if request:
        videos = store.stats().videos if store.model else 0
        note(f"Stopped. The index contains {count(videos, 'video')}; run the same command to continue.")
    else:
        note(_summary_of(states, took))
    if cues:
        note(f"Read what is said in {count(heard, 'video')}: {count(cues, 'cue')}.")
    for run in finished:
        held = run.stats
        note(
            f"The index contains {count(held.videos, 'video')} in {count(held.windows, 'window')}, "
            f"{size(held.size_bytes)}, at {short_path(store.location)}"
        )
        if run.built_ann:
            note("The index is large, so it now has an approximate search index as well.")
    if states["skipped"]:
        skipped = count(states["skipped"], "unchanged file")
        note(f"Skipped {skipped} that failed before; to retry, add --retry-failed.")
    _list(failed, f"{count(len(failed), 'file')} failed:", "centerclip info lists them all")
    _list(unheard, f"Not all words of {count(len(unheard), 'video')} can be read:", "--json shows them all")
    return request.exit_code or (SOME_FAILED if failed or unheard else 0)


def _list(results: Sequence[FileResult], title: str, more: str) -> None:
    """Print files and reasons; `more` says where to find the rest of a long list."""
    if results:
        note(title, style="red")
        for result in results[:_LISTED]:
            note(f"{short_path(result.path)}: {result.reason}", indent=2)
        if len(results) > _LISTED:
            note(f"... and {len(results) - _LISTED:,} more; {more}", indent=2)


def _summary_of(states: Counter[str], took: str) -> str:
    parts = [f"{states[state]:,} {state}" for state in ("failed", "moved", "removed") if states[state]]
    unchanged = count(states["unchanged"], "video") + " unchanged"
    if not (states["indexed"] or parts):
        return f"Up to date: {unchanged}." if states["unchanged"] else "Nothing to encode."
    parts += [unchanged] if states["unchanged"] else []
    if states["indexed"] or states["failed"]:
        parts.insert(0, f"Indexed {count(states['indexed'], 'video')}: {took}")
    return f"{parts[0]}; {', '.join(parts[1:])}." if len(parts) > 1 else f"{parts[0]}."
