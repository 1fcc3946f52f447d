"""One run: files are encoded, written and listened to, each reported once its rows are on disk."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

from centerclip.errors import VideoError
from centerclip.index import FileStamp, VideoIndex
from centerclip.indexing.attempts import VANISHED, Attempts
from centerclip.indexing.encoding import Encoder
from centerclip.indexing.footage import Footage
from centerclip.indexing.listening import listen
from centerclip.indexing.results import FileResult, SyncOptions, SyncProgress
from centerclip.indexing.sharing import Turns
from centerclip.indexing.spool import Spool, batches
from centerclip.indexing.writing import BackgroundWriter
from centerclip.records import EncodedVideo, Failed, Item, VideoInfo, Window
from centerclip.remote import is_address

__all__ = ["Run", "bring_in"]


class Run:
    """What a run works with, and how far it is.

    Args:
        files: all that it encodes.
    """

    def __init__(
        self,
        index: VideoIndex,
        encoder: Encoder,
        turns: Turns,
        options: SyncOptions,
        files: Sequence[FileStamp],
    ) -> None:
        self.index, self.encoder, self.turns, self.options = index, encoder, turns, options
        self.files = files
        self.attempts = Attempts(index.location, options.shard)
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


def bring_in(run: Run, files: Sequence[FileStamp]) -> Iterator[FileResult]:
    """Encode what is to be encoded, and read the words of all files that need it: first local files.

    Videos at addresses are downloaded, unless they are decoded elsewhere, which reads them from there.
    """
    if not run.encoder.decodes_here:
        yield from _encode(run.files, run)
        if not run.options.should_stop():
            yield from _listen(files, run)
        return
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


def _encode(files: Sequence[FileStamp], run: Run) -> Iterator[FileResult]:
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
    background = BackgroundWriter(run.turns, shared=run.options.shard is not None)

    def on_step(encoded: Sequence[tuple[VideoInfo, Window]]) -> None:
        background.add(())  # a batch may be due
        run.windows += len(encoded)
        for file, window in encoded:
            run.footage.add(file, window)
        run.report()

    def begin(some: Iterable[FileStamp]) -> Iterator[Item]:
        for file in some:
            if spool is None and run.encoder.decodes_here:
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


def _listen(files: Sequence[FileStamp], run: Run) -> Iterator[FileResult]:
    """Read the words of all files that need it."""
    if run.spool is not None:
        files = [file for file in files if run.spool.failure(file.path) is None]
    heard = listen(
        run.index,
        run.turns,
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
