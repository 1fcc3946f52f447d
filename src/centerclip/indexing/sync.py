"""From folders to an index: encode what is new or changed, forget what is gone, skip everything else.

Decoding, encoding and writing run in parallel. A file is reported only once its rows are on disk, so however
a run ends, nothing that was reported has to be done again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from centerclip.errors import VideoError
from centerclip.index import FileStamp, Finished, Moved, VideoIndex, Writer
from centerclip.index.schema import is_storable, stored_path
from centerclip.indexing.attempts import VANISHED, Attempts
from centerclip.indexing.dating import date_files
from centerclip.indexing.encoding import Encoder
from centerclip.indexing.footage import Footage
from centerclip.indexing.listening import listen
from centerclip.indexing.mounts import may_be_unmounted
from centerclip.indexing.sharing import Shard, Turns
from centerclip.indexing.writing import BackgroundWriter
from centerclip.records import EncodedVideo, Failed, Item, VideoInfo, Window
from centerclip.speech import Recognizer
from centerclip.video import content_id, find_videos

__all__ = ["FileResult", "SyncOptions", "SyncProgress", "sync"]

_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}


@dataclass(frozen=True, slots=True)
class FileResult:
    """What happened to a file.

    Attributes:
        path: of the file.
        state: `indexed`: encoded and written. `failed`: can't be encoded. `unchanged`: indexed before.
            `skipped`: failed before and hasn't changed since. `moved`: was indexed under another path.
            `missing`: indexed, but no longer there. `removed`: forgotten, because it is no longer there.
            `heard`: its subtitles or its speech were read; such a file has another result too, about its
            pictures.
        windows: number of windows written.
        reason: why it failed, in words for the owner of the file; of a `heard` one, what can't be read.
        cues: number of cues written.
    """

    path: Path
    state: Literal["indexed", "failed", "unchanged", "skipped", "moved", "missing", "removed", "heard"]
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
        shard: the part of the files to do, while other runs do the others; None for all files. Then each
            batch waits for the other runs' writes, at least ten minutes.
        on_progress: called in the consumer's thread whenever windows or files are finished, and at least
            twice per second while files are encoded.
        on_listen: called with the number of files whose words are read, and of those to read.
        on_finish: called at the end, unless stopped, with the index's contents as read back from it.
        should_stop: called at least twice per second; once it returns true, everything encoded is written and
            yielded, and the run ends.
        is_growing: whether a new or changed file may still be written; it is left for another run.
    """

    prune: bool = False
    careful: bool = False
    retry_failed: bool = False
    recognizer: Recognizer | None = None
    wait_seconds: float = 0.0
    shard: Shard | None = None
    on_progress: Callable[[SyncProgress], None] | None = None
    on_listen: Callable[[int, int], None] = lambda done, total: None
    on_finish: Callable[[Finished], None] | None = None
    should_stop: Callable[[], bool] = lambda: False
    is_growing: Callable[[FileStamp], bool] = lambda _: False


def sync(
    index: VideoIndex,
    roots: Iterable[str | os.PathLike[str]],
    encoder: Encoder,
    options: SyncOptions | None = None,
) -> Generator[FileResult, None, None]:
    """Bring an index up to date with files and folders.

    If stopped, interrupted or closed (`contextlib.closing`), it writes what is encoded and releases the
    index; the next run continues. A killed run loses about 15 seconds of work.

    Args:
        index: a new one, or one of the same model.
        roots: files, and folders to walk.
        encoder: the model at work.
        options: what to do, and callbacks.

    Yields:
        One result per file, once it is on disk: unchanged and skipped files, moved, removed, and then those
        that had to be encoded, in the order of the walk; after them those that a killed run was decoding,
        and those whose words were read (`heard`).

    Raises:
        VideoError: one of `roots` doesn't exist.
        FingerprintError: the index belongs to another model.
        IndexLockedError: another process is writing to it.
        IndexStoreError: it can't be written.
    """
    options = options or SyncOptions()
    places = [Path(root) for root in roots]
    files, unreadable = _look(places)
    if index.model is None and not files:  # don't bind a new index to a model for nothing
        yield from unreadable
        return
    index.bind(encoder.card())
    with Turns(index, options.wait_seconds, shared=options.shard is not None) as turns:
        with turns.take() as writer:
            todo = yield from _settle(index, writer, places, files, unreadable, options)
        mine = [file for file in files if options.shard is None or options.shard.has(file.path)]
        wanted = {file.path for file in todo if not options.is_growing(file)}
        attempts = Attempts(index.location, options.shard)
        todo = [file for file in mine if file.path in wanted]
        yield from _encode(todo, encoder, turns, attempts, options)
        if not options.should_stop():
            yield from _listen(index, turns, mine, options)
        if options.should_stop():
            return
        with turns.take() as writer:
            finished = writer.finish()
    if options.on_finish is not None:
        options.on_finish(finished)


def _settle(
    index: VideoIndex,
    writer: Writer,
    places: Sequence[Path],
    files: Sequence[FileStamp],
    unreadable: Iterable[FileResult],
    options: SyncOptions,
) -> Generator[FileResult, None, list[FileStamp]]:
    """Do all that needs no encoding; return the files that have to be encoded, in no particular order."""
    has = options.shard.has if options.shard is not None else lambda _: True
    if not options.retry_failed:
        writer.add_roots(places)
    changes = index.changes(files, roots=places)  # of all files, since one may have moved to another shard
    if options.retry_failed:
        moved: Sequence[Moved] = changes.moved  # left for another run, even if only seemingly moved
        candidates = (*changes.failed, *changes.changed)
        todo = [file for file in candidates if stored_path(file.path) in changes.reasons]
    else:
        yield from (result for result in unreadable if has(result.path))
        unchanged = [file for file in changes.unchanged if has(file.path)]
        date_files(unchanged, writer, should_stop=options.should_stop)
        yield from (FileResult(file.path, "unchanged") for file in unchanged)
        for file in changes.failed:
            if has(file.path):
                yield FileResult(file.path, "skipped", reason=changes.reasons[stored_path(file.path)])
        moved, not_moved = _check_moved(move for move in changes.moved if has(move.new.path))
        for move in moved:
            writer.move(move.old, move.new)
            yield FileResult(move.new.path, "moved")
        todo = [*changes.new, *changes.changed, *(move.new for move in not_moved)]
        moved = [*moved, *(move for move in changes.moved if not has(move.new.path))]
    gone = sorted(path for path in set(changes.gone) - {move.old for move in moved} if has(path))
    doubtful = {path for path in gone if options.careful and may_be_unmounted(path)}
    removed = [path for path in gone if path not in doubtful] if options.prune else []
    writer.remove(removed)
    yield from (FileResult(path, "removed") for path in removed)
    if not options.retry_failed:
        left = set(gone).difference(removed)
        yield from (FileResult(path, "missing") for path in gone if path in left)
    return todo


def _look(places: Iterable[Path]) -> tuple[list[FileStamp], list[FileResult]]:
    """Return the stamps of the files, and a failure for each name that isn't a file or can't be looked at."""
    files: dict[str, FileStamp] = {}
    unreadable: list[FileResult] = []

    def fail(path: Path, reason: str) -> None:
        unreadable.append(FileResult(path, "failed", reason=reason))

    def on_error(error: OSError) -> None:
        fail(Path(error.filename), f"can't be listed ({error.strerror})")

    for path in find_videos(places, on_error=on_error):
        try:
            file, mode = FileStamp.of(path), os.stat(path).st_mode
        except OSError as error:
            fail(path, f"can't be read ({error.strerror})")
            continue
        if not stat.S_ISREG(mode):  # opening a pipe would wait for its writer
            fail(path, f"is a {_KINDS.get(stat.S_IFMT(mode), 'device')}, not a video file")
        elif files.setdefault(stored_path(path), file) is not file:  # another name's bytes, escaped
            fail(path, "its name is not valid UTF-8; rename the file")
    return list(files.values()), unreadable


def _check_moved(moves: Iterable[Moved]) -> tuple[tuple[Moved, ...], tuple[Moved, ...]]:
    """Separate files whose content really moved from those that only have the same size and time."""
    moved: list[Moved] = []
    not_moved: list[Moved] = []
    for move in moves:
        try:
            same = is_storable(move.new.path) and content_id(move.new.path) == move.video_id
        except VideoError:
            same = False  # decoding will report the reason
        (moved if same else not_moved).append(move)
    return tuple(moved), tuple(not_moved)


def _encode(
    files: Sequence[FileStamp],
    encoder: Encoder,
    turns: Turns,
    attempts: Attempts,
    options: SyncOptions,
) -> Iterator[FileResult]:
    """Encode and write files; yield the results in the order of the files, each once it is written.

    Files that a run vanished with come last, one at a time, so that only the right one is blamed.
    """
    fresh, suspects, hopeless = attempts.sort(files)
    if options.retry_failed:
        suspects, hopeless = [*suspects, *hopeless], []
    stamps = {file.path: file for file in (*hopeless, *fresh, *suspects)}
    paths = list(stamps)
    background = BackgroundWriter(turns, shared=options.shard is not None)
    footage = Footage({file.path: file.size_bytes for file in files})
    done = windows = 0

    def report() -> None:
        if options.on_progress is not None:
            seconds, total = footage.seconds, footage.total_seconds
            options.on_progress(
                SyncProgress(done, len(paths), windows, seconds, total, is_estimate=footage.is_estimate)
            )

    def on_step(encoded: Sequence[tuple[VideoInfo, Window]]) -> None:
        nonlocal windows
        background.add(())  # a batch may be due
        windows += len(encoded)
        for file, window in encoded:
            footage.add(file, window)
        report()

    def should_stop() -> bool:
        stops = options.should_stop()
        if stops:
            attempts.close()  # at once, because a second signal ends the process
        return stops

    def begin(some: Iterable[FileStamp]) -> Iterator[Item]:
        for file in some:
            if encoder.decodes_here:
                attempts.begin(file)
            yield Item(file.path)

    def encode() -> Generator[EncodedVideo | Failed, None, None]:
        yield from (Failed(file.path, VANISHED) for file in hopeless)
        for some in [fresh, *([file] for file in suspects)]:
            embedded = encoder.embed(begin(some), ordered=False, on_step=on_step, should_stop=should_stop)
            with closing(embedded):
                for result in embedded:
                    attempts.end(stamps[result.path])
                    yield result
            if should_stop():
                return

    def take_written() -> None:
        for result in background.take():
            written[result.path] = result
            attempts.forget(stamps[result.path])

    report()
    written: dict[Path, EncodedVideo | Failed] = {}
    place = 0
    # Closing the writer writes what is encoded, however the loop ends.
    with closing(attempts), closing(background), closing(encode()) as results:
        for result in results:
            background.add([_stamped(result, stamps[result.path])])
            done += 1
            footage.finish(result.path)
            report()
            take_written()
            while place < len(paths) and paths[place] in written:
                yield _file_result(paths[place], written.pop(paths[place]))
                place += 1
    take_written()
    yield from (_file_result(path, written[path]) for path in paths[place:] if path in written)


def _listen(
    index: VideoIndex, turns: Turns, files: Sequence[FileStamp], options: SyncOptions
) -> Iterator[FileResult]:
    """Read the words of all files that need it."""
    heard = listen(
        index,
        turns,
        files,
        options.recognizer,
        retry_failed=options.retry_failed,
        on_step=options.on_listen,
        should_stop=options.should_stop,
    )
    for file in heard:
        yield FileResult(file.path, "heard", reason="; ".join(file.problems), cues=file.cues)


def _stamped(result: EncodedVideo | Failed, file: FileStamp) -> EncodedVideo | Failed:
    """Record a file as it was before it was decoded, so that the next run notices if it grew meanwhile."""
    size, modified = file.size_bytes, file.modified_seconds
    if isinstance(result, Failed):
        return replace(result, stamp=(size, modified))
    return replace(result, info=replace(result.info, size_bytes=size, modified_seconds=modified))


def _file_result(path: Path, result: EncodedVideo | Failed) -> FileResult:
    if isinstance(result, Failed):
        return FileResult(path, "failed", reason=result.reason)
    return FileResult(path, "indexed", windows=len(result.windows))
