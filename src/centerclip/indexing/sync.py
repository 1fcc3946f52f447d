"""From folders to an index: encode what is new or changed, forget what is gone, skip everything else.

Decoding, encoding and writing run in parallel. A file is reported only once its rows are on disk, so however
a run ends, nothing that was reported has to be done again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from centerclip.embedding import VideoEncoder
from centerclip.errors import VideoError
from centerclip.index import FileStamp, Finished, Moved, VideoIndex, Writer
from centerclip.index.schema import is_storable, stored_path
from centerclip.indexing.attempts import VANISHED, Attempts
from centerclip.indexing.dating import date_files
from centerclip.indexing.footage import Footage
from centerclip.indexing.listening import listen
from centerclip.indexing.mounts import may_be_unmounted
from centerclip.indexing.recognizing import Known, recognize
from centerclip.indexing.spool import Spool, batches
from centerclip.indexing.writing import BackgroundWriter
from centerclip.records import EncodedVideo, Failed, Item, VideoInfo, Window
from centerclip.remote import as_place, is_address, parse_place
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


def sync(
    index: VideoIndex,
    roots: Iterable[str | os.PathLike[str]],
    encoder: VideoEncoder,
    options: SyncOptions | None = None,
) -> Generator[FileResult, None, None]:
    """Bring an index up to date with files and folders.

    If stopped, interrupted or closed (`contextlib.closing`), it writes what is encoded and releases the
    index; the next run continues. A killed run loses about 15 seconds of work.

    Args:
        index: a new one, or one of the same model.
        roots: files, folders to walk, and addresses.
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
    places = [parse_place(root) for root in roots]
    files, unreadable = _look(places, index, options.should_stop)
    if options.should_stop():
        return
    if index.model is None and not files:  # don't bind a new index to a model for nothing
        yield from unreadable
        return
    index.bind(encoder.card())
    with index.writer(wait_seconds=options.wait_seconds) as writer:
        if not options.retry_failed:
            writer.add_roots(places)
        # What couldn't be looked at isn't gone.
        unseen = {result.path for result in unreadable if is_address(result.path)}
        changes = index.changes(files, roots=[place for place in places if place not in unseen])
        if options.retry_failed:
            replaced = {move.old for move in changes.moved}  # left for another run
            candidates = (*changes.failed, *changes.changed)
            todo = [file for file in candidates if stored_path(file.path) in changes.reasons]
        else:
            yield from unreadable
            date_files(changes.unchanged, writer, should_stop=options.should_stop)
            yield from (FileResult(file.path, "unchanged") for file in changes.unchanged)
            for file in changes.failed:
                yield FileResult(file.path, "skipped", reason=changes.reasons[stored_path(file.path)])
            moved, not_moved = _check_moved(changes.moved)
            for move in moved:
                writer.move(move.old, move.new)
                yield FileResult(move.new.path, "moved")
            todo = [*changes.new, *changes.changed, *(move.new for move in not_moved)]
            known = list(recognize(index, [file for file in todo if is_address(file.path)]))
            yield from _adopt(known, writer)
            adopted = {each.file.path for each in known}
            todo = [file for file in todo if file.path not in adopted]
            replaced = {move.old for move in moved} | {each.old for each in known if each.state == "moved"}
        gone = sorted(set(changes.gone) - replaced)
        doubtful = {path for path in gone if options.careful and may_be_unmounted(path)}
        removed = [path for path in gone if path not in doubtful] if options.prune else []
        writer.remove(removed)
        yield from (FileResult(path, "removed") for path in removed)
        if not options.retry_failed:
            left = set(gone).difference(removed)
            yield from (FileResult(path, "missing") for path in gone if path in left)
        wanted = {file.path for file in todo if not options.is_growing(file)}
        todo = [file for file in files if file.path in wanted]
        run = _Run(index, encoder, writer, options, todo)
        yield from _bring_in(run, files)
        if options.should_stop():
            return
        finished = writer.finish()
    if options.on_finish is not None:
        options.on_finish(finished)


def _look(
    places: Iterable[Path], index: VideoIndex, should_stop: Callable[[], bool]
) -> tuple[list[FileStamp], list[FileResult]]:
    """Return the stamps of the files, and a failure for each name that isn't a file or can't be looked at.

    What it returns isn't complete if it was stopped.
    """
    files: dict[str, FileStamp] = {}
    unreadable: list[FileResult] = []

    def fail(path: Path, reason: str) -> None:
        unreadable.append(FileResult(path, "failed", reason=reason))

    def on_error(error: OSError) -> None:
        fail(as_place(error.filename), f"can't be listed ({error.strerror})")

    def is_known(address: Path) -> bool:
        return bool(index.below([address]))

    for path in find_videos(places, on_error=on_error, is_known=is_known):
        if should_stop():
            break
        try:
            file, mode = FileStamp.of(path), path.stat().st_mode
        except OSError as error:
            fail(path, f"can't be read ({error.strerror})")
            continue
        if not stat.S_ISREG(mode):  # opening a pipe would wait for its writer
            fail(path, f"is a {_KINDS.get(stat.S_IFMT(mode), 'device')}, not a video file")
        elif files.setdefault(stored_path(path), file) is not file:  # another name's bytes, escaped
            fail(path, "its name is not valid UTF-8; rename the file")
    return list(files.values()), unreadable


def _adopt(known: Sequence[Known], writer: Writer) -> Iterator[FileResult]:
    """Give files at addresses the rows of the files that have the same content."""
    writer.copy([(each.old, each.file) for each in known])
    writer.remove([each.old for each in known if each.state == "moved"])
    yield from (FileResult(each.file.path, each.state) for each in known)


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


class _Run:
    """What a run works with, and how far it is.

    Args:
        files: all that it encodes.
    """

    def __init__(
        self,
        index: VideoIndex,
        encoder: VideoEncoder,
        writer: Writer,
        options: SyncOptions,
        files: Sequence[FileStamp],
    ) -> None:
        self.index, self.encoder, self.writer, self.options = index, encoder, writer, options
        self.files = files
        self.attempts = Attempts(index.location)
        self.spool: Spool | None = None
        self.footage = Footage({file.path: file.size_bytes for file in files})
        self.done = self.windows = 0

    def report(self) -> None:
        if self.options.on_progress is not None:
            seconds, total = self.footage.seconds, self.footage.total_seconds
            estimated = self.footage.is_estimate
            self.options.on_progress(
                SyncProgress(self.done, len(self.files), self.windows, seconds, total, is_estimate=estimated)
            )

    def should_stop(self) -> bool:
        stops = self.options.should_stop()
        if stops:
            self.attempts.close()  # at once, because a second signal ends the process
            if self.spool is not None:
                self.spool.stop()
        return stops

    def local(self, path: Path) -> Path:
        """Return where a file can be read; see `Spool.local`."""
        return path if self.spool is None else self.spool.local(path)


def _bring_in(run: _Run, files: Sequence[FileStamp]) -> Iterator[FileResult]:
    """Encode what is to be encoded, and read the words of all files that need it: first local files."""
    here = [file for file in files if not is_address(file.path)]
    yield from _encode([file for file in run.files if not is_address(file.path)], run)
    if not run.options.should_stop():
        yield from _listen(here, run)
    elsewhere = [file for file in run.files if is_address(file.path)]
    if elsewhere and not run.options.should_stop():
        place, limit = run.options.spool_folder, run.options.spool_bytes
        with Spool(elsewhere, folder=place, limit_bytes=limit) as run.spool:
            for batch in batches(elsewhere, run.spool.limit_bytes):
                yield from _encode(batch, run)
                if run.options.should_stop():
                    return
                yield from _listen(batch, run)
                run.spool.release(file.path for file in batch)
        run.spool = None
    done = {file.path for file in (*here, *elsewhere)}
    others = [file for file in files if file.path not in done]
    if others and not run.options.should_stop():
        yield from _listen(others, run)


def _encode(files: Sequence[FileStamp], run: _Run) -> Iterator[FileResult]:
    """Encode and write files; yield the results in the order of the files, each once it is written.

    Files that a run vanished with come last, one at a time, so that only the right one is blamed. A file that
    couldn't be downloaded isn't recorded, so that the next run tries again.
    """
    attempts, spool = run.attempts, run.spool
    fresh, suspects, hopeless = attempts.sort(files)
    if run.options.retry_failed:
        suspects, hopeless = [*suspects, *hopeless], []
    stamps = {file.path: file for file in (*hopeless, *fresh, *suspects)}
    paths = list(stamps)
    background = BackgroundWriter(run.writer)

    def on_step(encoded: Sequence[tuple[VideoInfo, Window]]) -> None:
        background.add(())  # a batch may be due
        run.windows += len(encoded)
        for file, window in encoded:
            run.footage.add(file, window)
        run.report()

    def begin(some: Iterable[FileStamp]) -> Iterator[Item]:
        for file in some:
            if spool is None:
                attempts.begin(file)
            yield Item(file.path)

    def locate(path: Path) -> Path:
        place = run.local(path)
        if spool is not None:  # while it was downloaded, nothing that is in it could end the run
            attempts.begin(stamps[path])
        return place

    def encode() -> Generator[EncodedVideo | Failed, None, None]:
        yield from (Failed(file.path, VANISHED) for file in hopeless)
        for some in [fresh, *([file] for file in suspects)]:
            embedded = run.encoder.embed(
                begin(some), ordered=False, on_step=on_step, should_stop=run.should_stop, locate=locate
            )
            with closing(embedded), nullcontext() if spool is None else spool.stopping():
                for result in embedded:
                    attempts.end(stamps[result.path])
                    yield result
            if run.should_stop():
                return

    def take_written() -> None:
        for result in background.take():
            written[result.path] = result
            attempts.forget(stamps[result.path])

    def record(result: EncodedVideo | Failed) -> None:
        lost = None if spool is None else spool.failure(result.path)
        if lost is None:
            background.add([_stamped(result, stamps[result.path])])
        elif isinstance(lost, VideoError):
            written[result.path] = result
        else:
            raise lost

    run.report()
    written: dict[Path, EncodedVideo | Failed] = {}
    place = 0
    # Closing the writer writes what is encoded, however the loop ends.
    with closing(attempts), closing(background), closing(encode()) as results:
        for result in results:
            record(result)
            run.done += 1
            run.footage.finish(result.path)
            run.report()
            take_written()
            while place < len(paths) and paths[place] in written:
                yield _file_result(paths[place], written.pop(paths[place]))
                place += 1
    take_written()
    yield from (_file_result(path, written[path]) for path in paths[place:] if path in written)


def _listen(files: Sequence[FileStamp], run: _Run) -> Iterator[FileResult]:
    """Read the words of all files that need it."""
    if run.spool is not None:
        files = [file for file in files if run.spool.failure(file.path) is None]
    heard = listen(
        run.index,
        run.writer,
        files,
        run.options.recognizer,
        retry_failed=run.options.retry_failed,
        on_step=run.options.on_listen,
        should_stop=run.options.should_stop,
        locate=run.local,
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
