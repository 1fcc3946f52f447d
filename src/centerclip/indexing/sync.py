"""From folders to an index: encode what is new or changed, forget what is gone, skip everything else.

Decoding, encoding and writing run in parallel. A file is reported only once its rows are on disk, so however
a run ends, nothing that was reported has to be done again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path

from centerclip.errors import VideoError
from centerclip.index import FileStamp, Moved, VideoIndex, Writer
from centerclip.index.schema import is_storable, stored_path
from centerclip.indexing.dating import date_files
from centerclip.indexing.encoding import Encoder
from centerclip.indexing.mounts import may_be_unmounted
from centerclip.indexing.recognizing import Known, recognize
from centerclip.indexing.results import FileResult, SyncOptions
from centerclip.indexing.runs import Run, bring_in
from centerclip.indexing.sharing import Turns
from centerclip.remote import as_place, is_address, parse_place
from centerclip.video import content_id, find_videos

__all__ = ["sync"]

_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}


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
    with Turns(index, options.wait_seconds, shared=options.shard is not None) as turns:
        with turns.take() as writer:
            todo = yield from _settle(index, writer, places, files, unreadable, options)
        mine = [file for file in files if options.shard is None or options.shard.has(file.path)]
        wanted = {file.path for file in todo if not options.is_growing(file)}
        run = Run(index, encoder, turns, options, [file for file in mine if file.path in wanted])
        yield from bring_in(run, mine)
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
    unreadable: Sequence[FileResult],
    options: SyncOptions,
) -> Generator[FileResult, None, list[FileStamp]]:
    """Do all that needs no encoding; return the files that have to be encoded, in no particular order."""
    has = options.shard.has if options.shard is not None else lambda _: True
    if not options.retry_failed:
        writer.add_roots(places)
    # What couldn't be looked at isn't gone.
    unseen = {result.path for result in unreadable if is_address(result.path)}
    # Of all files, since one may have moved to another shard.
    changes = index.changes(files, roots=[place for place in places if place not in unseen])
    replaced = {move.old for move in changes.moved}
    if options.retry_failed:  # what has moved is left for another run, even if only seemingly moved
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
        known = list(recognize(index, [file for file in todo if is_address(file.path) and has(file.path)]))
        yield from _adopt(known, writer)
        adopted = {each.file.path for each in known}
        todo = [file for file in todo if file.path not in adopted]
        replaced -= {move.old for move in not_moved}
        replaced |= {each.old for each in known if each.state == "moved"}
    gone = sorted(path for path in set(changes.gone) - replaced if has(path))
    doubtful = {path for path in gone if options.careful and may_be_unmounted(path)}
    removed = [path for path in gone if path not in doubtful] if options.prune else []
    writer.remove(removed)
    yield from (FileResult(path, "removed") for path in removed)
    if not options.retry_failed:
        left = set(gone).difference(removed)
        yield from (FileResult(path, "missing") for path in gone if path in left)
    return todo


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
