"""From folders to an index: encode what is new or changed, forget what is gone, leave the rest alone.

Decoding, encoding and writing run side by side. A file is reported only when its rows are on the disk, so
whatever ends a run, nothing that was reported has to be done again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from centerclip.embedding import VideoEncoder
from centerclip.errors import VideoError
from centerclip.index import FileStamp, Moved, Summary, VideoIndex, Writer
from centerclip.indexing.writing import BackgroundWriter
from centerclip.records import EncodedVideo, Failed, Item, Window
from centerclip.video import content_id, find_videos

__all__ = ["FileResult", "Progress", "SyncOptions", "sync"]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What happened to a file.

    Attributes:
        path: of the file.
        state: `indexed`: encoded and written, with `windows` windows. `failed`: it can't be encoded, for
            `reason`. `unchanged`: it was indexed before. `skipped`: it failed before, for `reason`, and has
            not changed since. `moved`: it was indexed under another path. `removed`: forgotten, because it no
            longer exists.
        windows: rows written.
        reason: in words for the owner of the file.
    """

    path: Path
    state: Literal["indexed", "failed", "unchanged", "skipped", "moved", "removed"]
    windows: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the encoding is: finished files of those that need it, and their windows so far."""

    files: int
    total: int
    windows: int = 0
    footage_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How to bring an index up to date.

    Attributes:
        prune: forget indexed files below the roots that no longer exist.
        retry_failed: encode only files that failed before, and leave all others alone.
        wait_seconds: how long to wait for another writer; negative to wait without limit.
        on_progress: called in the consumer's thread whenever windows or files are finished.
        on_finish: called at the end with what the index holds now, read back from it; not when stopped.
        should_stop: asked at least twice a second; once it returns true, what is encoded is written and
            yielded, and no more.
    """

    prune: bool = False
    retry_failed: bool = False
    wait_seconds: float = 0.0
    on_progress: Callable[[Progress], None] | None = None
    on_finish: Callable[[Summary], None] | None = None
    should_stop: Callable[[], bool] = lambda: False


def sync(
    index: VideoIndex,
    roots: Iterable[str | os.PathLike[str]],
    encoder: VideoEncoder,
    options: SyncOptions | None = None,
) -> Generator[FileResult, None, None]:
    """Bring an index up to date with files and folders.

    Stopped, interrupted or closed (`contextlib.closing`), it writes what is encoded and releases the index;
    the next run goes on from there. A killed run loses about 15 seconds of work.

    Args:
        index: a new one, or one of the same model.
        roots: files, and folders to walk.
        encoder: of the model.
        options: what to do, and who is called.

    Yields:
        One result per file, each when it is on the disk: unchanged and skipped ones, moved, removed, and then
        those that had to be encoded, in the order of the walk.

    Raises:
        VideoError: one of `roots` does not exist.
        FingerprintError: the index belongs to another model.
        IndexLockedError: another process is writing to it.
        IndexStoreError: it can't be written.
    """
    options = options or SyncOptions()
    places = [Path(root) for root in roots]
    files, unreadable = _stat(find_videos(places))
    if index.model is None and not files:  # nothing worth binding a new index to a model
        yield from unreadable
        return
    index.bind(encoder.card())
    with index.writer(wait_seconds=options.wait_seconds) as writer:
        if not options.retry_failed:
            writer.add_roots(places)
        changes = index.changes(files, roots=places)
        reasons = {video.info.path: video.reason for video in index.failed()}
        if options.retry_failed:
            moved = changes.moved  # or files that look moved: left for another run
            todo = [file for file in (*changes.failed, *changes.changed) if _absolute(file.path) in reasons]
        else:
            yield from unreadable
            yield from (FileResult(file.path, "unchanged") for file in changes.unchanged)
            for file in changes.failed:
                yield FileResult(file.path, "skipped", reason=reasons[_absolute(file.path)])
            moved, not_moved = _check_moved(changes.moved)
            for move in moved:
                writer.move(move.old, move.new)
                yield FileResult(move.new.path, "moved")
            todo = [*changes.new, *changes.changed, *(move.new for move in not_moved)]
        if options.prune:
            gone = sorted(set(changes.gone) - {move.old for move in moved})
            writer.remove(gone)
            yield from (FileResult(path, "removed") for path in gone)
        wanted = {file.path for file in todo}
        yield from _encode([file.path for file in files if file.path in wanted], encoder, writer, options)
        if options.should_stop():
            return
        summary = writer.finish()
    if options.on_finish is not None:
        options.on_finish(summary)


def _stat(paths: Iterable[Path]) -> tuple[list[FileStamp], list[FileResult]]:
    """Return size and time of each file, and the files that can't be read: dangling links, just deleted."""
    files, unreadable = [], []
    for path in paths:
        try:
            files.append(FileStamp.of(path))
        except OSError as error:
            unreadable.append(FileResult(path, "failed", reason=f"can't be read ({error.strerror})"))
    return files, unreadable


def _absolute(path: Path) -> Path:
    """A path as the index records it."""
    return Path(os.path.abspath(path))


def _check_moved(moves: Iterable[Moved]) -> tuple[tuple[Moved, ...], tuple[Moved, ...]]:
    """Separate files whose content really moved from those that only look like it."""
    moved: list[Moved] = []
    not_moved: list[Moved] = []
    for move in moves:
        try:
            same = content_id(move.new.path) == move.video_id
        except VideoError:
            same = False  # decoding will say what is wrong
        (moved if same else not_moved).append(move)
    return tuple(moved), tuple(not_moved)


class _Meter:
    """Adds up the progress, and reports it."""

    def __init__(self, total: int, report: Callable[[Progress], None] | None) -> None:
        self._progress = Progress(0, total)
        self._report = report
        self._tell()

    def add(self, *, files: int = 0, windows: Sequence[Window] = ()) -> None:
        if files or windows:
            before = self._progress
            self._progress = replace(
                before,
                files=before.files + files,
                windows=before.windows + len(windows),
                footage_seconds=before.footage_seconds
                + sum(w.end_seconds - w.start_seconds for w in windows),
            )
            self._tell()

    def _tell(self) -> None:
        if self._report is not None:
            self._report(self._progress)


def _encode(
    paths: Sequence[Path], encoder: VideoEncoder, writer: Writer, options: SyncOptions
) -> Iterator[FileResult]:
    """Encode and write; yield the results in the order of the paths, each once it is written."""
    background = BackgroundWriter(writer)
    meter = _Meter(len(paths), options.on_progress)
    written: dict[Path, EncodedVideo | Failed] = {}
    place = 0

    def on_step(windows: Sequence[Window]) -> None:
        background.add(())  # a batch may be due by time
        meter.add(windows=windows)

    # Closed in any case, which writes what is encoded already.
    with (
        closing(background),
        closing(
            encoder.embed(map(Item, paths), ordered=False, on_step=on_step, should_stop=options.should_stop)
        ) as results,
    ):
        for result in results:
            background.add([result])
            meter.add(files=1)
            written.update((_path(each), each) for each in background.take())
            while place < len(paths) and paths[place] in written:
                yield _file_result(paths[place], written.pop(paths[place]))
                place += 1
    written.update((_path(each), each) for each in background.take())
    yield from (_file_result(path, written[path]) for path in paths[place:] if path in written)


def _path(result: EncodedVideo | Failed) -> Path:
    return result.path if isinstance(result, Failed) else result.info.path


def _file_result(path: Path, result: EncodedVideo | Failed) -> FileResult:
    if isinstance(result, Failed):
        return FileResult(path, "failed", reason=result.reason)
    return FileResult(path, "indexed", windows=len(result.windows))
