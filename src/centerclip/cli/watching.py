"""`centerclip index --watch`: a run, and another one whenever something has changed, until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from centerclip.cli.formats import short_path
from centerclip.cli.indexing import STOPPING, Wanted, report, report_failures, summary_of, sync_once
from centerclip.cli.output import note
from centerclip.cli.stopping import StopRequest
from centerclip.errors import IndexLockedError, VideoError

if TYPE_CHECKING:
    from centerclip.indexing import FileResult, FolderWatch

__all__ = ["watch_indexing"]

_RETRY_SECONDS = 10.0
"""How soon to try again while another process writes to the index."""
_NEWS = ("indexed", "failed", "heard", "moved", "copied", "removed")
"""States of files that later runs don't report again."""


def watch_indexing(wanted: Wanted, paths: Sequence[Path], *, poll_seconds: float | None = None) -> int:
    """Update an index, and again after each burst of changes; Ctrl-C or SIGTERM ends it.

    Args:
        wanted: how.
        paths: files and folders, of which one may vanish and come back.
        poll_seconds: see `FolderWatch`.

    Returns:
        The exit code: 128 plus the number of the signal.
    """
    from centerclip.indexing import FolderWatch

    with StopRequest(STOPPING) as request:
        folders = FolderWatch(
            paths,
            without=wanted.store.location,
            poll_seconds=poll_seconds,
            should_stop=lambda: bool(request),
        )
        for path in paths:
            if not path.exists():
                note(f"{short_path(path)} isn't there yet; it is indexed when it comes.")
        with folders:
            first = sync_once(wanted, folders.present, request, folders)
            report(wanted, first, stopped=bool(request))
            if request:
                return request.exit_code
            how = f", every {folders.poll_seconds:g} seconds" if folders.poll_seconds else ""
            note(f"Watching {', '.join(map(short_path, paths))}{how} (Ctrl-C stops)")
            again = replace(wanted, wait_seconds=0.0, show=lambda result: _show_news(wanted, result))
            while folders.wait():
                _run_again(again, folders, request)
    note("Stopped.")
    return request.exit_code


def _show_news(wanted: Wanted, result: FileResult) -> None:
    if result.state in _NEWS:
        wanted.show(result)


def _run_again(wanted: Wanted, folders: FolderWatch, request: StopRequest) -> None:
    present = folders.present
    if not present:
        return
    try:
        outcome = sync_once(wanted, present, request, folders)
    except VideoError:  # a root has vanished just now, which `wait` notices too
        folders.change()
        return
    except IndexLockedError as error:
        note(f"{error}. Trying again in {_RETRY_SECONDS:g} seconds")
        folders.change(in_seconds=_RETRY_SECONDS)
        return
    if any(outcome.states[state] for state in _NEWS):
        outcome.states["unchanged"] = 0
        note(f"{time.strftime('%H:%M:%S')} {summary_of(outcome)}")
    report_failures(outcome)
