"""What `sync` is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from centerclip.index import FileStamp, Finished
from centerclip.indexing.sharing import Shard
from centerclip.speech import Recognizer

__all__ = ["FileResult", "SyncOptions", "SyncProgress"]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What happened to a file.

    Attributes:
        path: of the file.
        state: `indexed`: encoded and written. `failed`: can't be encoded. `unchanged`: indexed before.
            `skipped`: failed before and hasn't changed since. `moved`: was indexed under another path.
            `copied`: at an address, and its content is indexed under another path too.
            `missing`: indexed, but no longer there. `removed`: forgotten, because it is no longer there.
            `heard`: its subtitles or its speech were read; such a file has another result too, about its
            pictures.
        windows: number of windows written.
        reason: why it failed, in words for the owner of the file; of a `heard` one, what can't be read.
        cues: number of cues written.
    """

    path: Path
    state: Literal[
        "indexed", "failed", "unchanged", "skipped", "moved", "copied", "missing", "removed", "heard"
    ]
    windows: int = 0
    reason: str = ""
    cues: int = 0


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How many of the files to encode are finished, and what has been encoded so far.

    Attributes:
        total_seconds: length of all files to encode; None before the first window is encoded.
        is_estimate: whether `total_seconds` is partly estimated by the size of files not yet opened.
    """

    files: int
    total: int
    windows: int = 0
    footage_seconds: float = 0.0
    total_seconds: float | None = None
    is_estimate: bool = True


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How to bring an index up to date.

    Attributes:
        prune: forget indexed files under the roots that no longer exist.
        careful: don't forget files whose folder is empty, which may be where a disk isn't mounted.
        retry_failed: encode only files that failed before.
        recognizer: hears the files that have no subtitles; None to only read subtitles.
        wait_seconds: how long to wait for another writer; 0 doesn't wait, a negative number waits forever.
        on_progress: called in the consumer's thread whenever windows or files are finished, and at least
            twice per second while files are encoded.
        on_listen: called with the number of files whose words are read, and of those to read.
        on_finish: called at the end, unless stopped, with the index's contents as read back from it.
        should_stop: called at least twice per second; once it returns true, everything encoded is written and
            yielded, and the run ends.
        is_growing: whether a new or changed file may still be written; it is left for another run.
        spool_folder: where videos at addresses are downloaded; see `Spool`.
        spool_bytes: how much of them may lie there.
        shard: the part of the files to do, while other runs do the others; None for all files. Then each
            batch waits for the other runs' writes, at least ten minutes.
    """

    prune: bool = False
    careful: bool = False
    retry_failed: bool = False
    recognizer: Recognizer | None = None
    wait_seconds: float = 0.0
    on_progress: Callable[[SyncProgress], None] | None = None
    on_listen: Callable[[int, int], None] = lambda done, total: None
    on_finish: Callable[[Finished], None] | None = None
    should_stop: Callable[[], bool] = lambda: False
    is_growing: Callable[[FileStamp], bool] = lambda _: False
    spool_folder: Path | None = None
    spool_bytes: int | None = None
    shard: Shard | None = None
