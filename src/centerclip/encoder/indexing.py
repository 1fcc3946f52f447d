"""From folders to an index: what is new or changed is encoded, what is gone forgotten, the rest left alone.

Decoding, encoding and writing go on side by side. A file is reported only when its rows are on the disk, so
whatever ends a run, nothing that was reported has to be done again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from centerclip.encoder.pipeline import Step
from centerclip.encoder.writing import BackgroundWriter
from centerclip.errors import VideoError
from centerclip.index import FileStamp, ModelCard, Moved, Summary, VideoIndex, Writer
from centerclip.records import EncodedVideo, Failed
from centerclip.video import content_id, find_videos

__all__ = ["FileResult", "Progress", "index_files"]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What indexing did about a file.

    Attributes:
        path: of the file.
        state: `indexed`: encoded and written, with `windows` windows. `failed`: it can't be encoded, for
            `reason`. `unchanged`: it was there before. `skipped`: it failed before, for `reason`, and has
            not changed since. `moved`: what was known under another path. `removed`: forgotten, because it
            is no longer there.
        windows: rows written.
        reason: in words for the owner of the file.
    """

    path: Path
    state: Literal["indexed", "failed", "unchanged", "skipped", "moved", "removed"]
    windows: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the encoding is: files of those that need it, and what came of them so far."""

    files: int
    total: int
    windows: int = 0
    footage_seconds: float = 0.0


class _Meter:
    """Adds up the progress and reports it."""

    def __init__(self, total: int, report: Callable[[Progress], None] | None) -> None:
        self._progress = Progress(0, total)
        self._report = report
        self.add(Step((), ()))

    def add(self, step: Step) -> None:
        before, spans = self._progress, [encoded.window for encoded in step.windows]
        self._progress = replace(
            before,
            files=before.files + len(step.results),
            windows=before.windows + len(spans),
            footage_seconds=before.footage_seconds + sum(s.end_seconds - s.start_seconds for s in spans),
        )
        if self._report is not None:
            self._report(self._progress)


def index_files(
    paths: Iterable[str | os.PathLike[str]],
    index: VideoIndex,
    card: ModelCard,
    encode: Callable[[Sequence[Path]], Generator[Step, None, None]],
    *,
    prune: bool,
    retry_failed: bool,
    wait_seconds: float,
    on_progress: Callable[[Progress], None] | None,
    on_finish: Callable[[Summary], None] | None,
    should_stop: Callable[[], bool],
) -> Generator[FileResult, None, None]:
    """Bring an index up to date with files and folders; see `VideoEncoder.index`."""
    roots = [Path(path) for path in paths]
    files, unreadable = _look_at(find_videos(roots))
    if index.model is None and not files:  # nothing that would be worth binding a new index to a model
        yield from unreadable
        return
    index.bind(card)
    with index.writer(wait_seconds=wait_seconds) as writer:
        changes = index.changes(files, roots=roots)
        reasons = {video.info.path: video.reason for video in index.failed()}
        if retry_failed:
            moved = changes.moved  # or what looks like it: left for another run
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
        if prune:
            gone = sorted(set(changes.gone) - {move.old for move in moved})
            writer.remove(gone)
            yield from (FileResult(path, "removed") for path in gone)
        places = {file.path: place for place, file in enumerate(files)}
        todo.sort(key=lambda file: places[file.path])
        meter = _Meter(len(todo), on_progress)
        yield from _encode([file.path for file in todo], encode, writer, meter, should_stop)
        if should_stop():
            return
        summary = writer.finish()
    if on_finish is not None:
        on_finish(summary)


def _look_at(paths: Iterable[Path]) -> tuple[list[FileStamp], list[FileResult]]:
    """Size and time of each file, and those that can't be had: dangling links, files just deleted."""
    files, unreadable = [], []
    for path in paths:
        try:
            files.append(FileStamp.of(path))
        except OSError as error:
            unreadable.append(FileResult(path, "failed", reason=f"can't be read ({error.strerror})"))
    return files, unreadable


def _absolute(path: Path) -> Path:
    """A path as the index tells it."""
    return Path(os.path.abspath(path))


def _check_moved(moves: Iterable[Moved]) -> tuple[tuple[Moved, ...], tuple[Moved, ...]]:
    """Part what has the same content under its new path from what only looked like it."""
    moved: list[Moved] = []
    not_moved: list[Moved] = []
    for move in moves:
        try:
            same = content_id(move.new.path) == move.video_id
        except VideoError:
            same = False  # whoever decodes it will say what is wrong
        (moved if same else not_moved).append(move)
    return tuple(moved), tuple(not_moved)


def _encode(
    paths: Sequence[Path],
    encode: Callable[[Sequence[Path]], Generator[Step, None, None]],
    writer: Writer,
    meter: _Meter,
    should_stop: Callable[[], bool],
) -> Iterator[FileResult]:
    """Encode and write; yield the results in the order of the paths, each once it is written."""
    background = BackgroundWriter(writer)
    written: dict[int, EncodedVideo | Failed] = {}
    place = 0
    # Closed in any case, which writes what is encoded already.
    with closing(background), closing(encode(paths)) as steps:
        for step in steps:
            background.add(step.results)
            meter.add(step)
            written.update(background.take())
            while place in written:
                yield _file_result(paths[place], written.pop(place))
                place += 1
            if should_stop():
                break
    written.update(background.take())
    yield from (_file_result(paths[number], written[number]) for number in sorted(written))


def _file_result(path: Path, result: EncodedVideo | Failed) -> FileResult:
    if isinstance(result, Failed):
        return FileResult(path, "failed", reason=result.reason)
    return FileResult(path, "indexed", windows=len(result.windows))
