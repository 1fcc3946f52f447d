"""Decoding and encoding side by side in threads, with a bound on the frames in memory.

Some threads decode files window by window; windows of whatever files form batches in the order in which
they come; other threads encode these; a file's result is ready when its last window is encoded. A long file
comes in parts, which are decoded side by side, so that one film alone keeps all threads busy. Knows neither
how a file is decoded nor how a batch is encoded.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import TypeAlias, TypeVar

from centerclip.encoder.decoding import DecodedWindow, Part, Windows
from centerclip.errors import VideoError
from centerclip.records import EncodedVideo, EncodedWindow, Failed, VideoInfo

__all__ = ["Numbered", "Pipeline", "Step", "in_order"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

Numbered: TypeAlias = tuple[int, _T]
"""A value with its place among the paths, in whose order the values don't come."""


@dataclass(slots=True, eq=False)
class _File:
    """A file on its way: how many windows came from the decoder, and which are encoded.

    `parts` are those that are not yet decoded to their end.
    """

    number: int
    path: Path
    info: VideoInfo | None = None
    decoded: int = 0
    encoded: list[EncodedWindow] = field(default_factory=list)
    parts: int = 1
    failure: str | None = None

    def result(self) -> EncodedVideo | Failed | None:
        """What became of it; None as long as windows are missing."""
        if self.failure is not None:
            return Failed(self.path, self.failure)
        if self.info is None or self.parts or len(self.encoded) < self.decoded:
            return None
        windows = sorted(self.encoded, key=lambda encoded: encoded.window.start_seconds)
        return EncodedVideo(self.info, tuple(windows))


_Batch: TypeAlias = list[tuple[_File, DecodedWindow]]


@dataclass(frozen=True, slots=True)
class _Ended:
    """The last message about a part of a file: it is decoded, or `error` came in between."""

    error: BaseException | None


@dataclass(frozen=True, slots=True)
class _Encoded:
    """The last message about a batch: whose windows they were, and the embeddings or what came in between."""

    files: Sequence[_File]
    windows: Sequence[EncodedWindow] | BaseException


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a step of the pipeline: windows that were encoded, and files that are done with that."""

    windows: Sequence[EncodedWindow]
    results: Sequence[Numbered[EncodedVideo | Failed]]


class Pipeline:
    """Encodes files; to be iterated once. Closing the iterator, or an error, ends the threads.

    A file that can't be decoded becomes a `Failed`. What `encode` or `paths` raise, and lack of memory
    anywhere, ends the iteration.

    Args:
        paths: files, taken a little before their turn.
        decode: opens a file and gives its windows, at least one, and before them other parts of it, if
            any; called in the threads that decode.
        encode: turns windows into embeddings, one each; called in the threads that encode. Its second
            argument tells whether nothing goes on beside it, so that it may use the whole machine.
        workers: threads that decode.
        encoders: threads that encode.
        batch_size: windows given to `encode` at a time; only the last batch is smaller.
        ahead: how far beyond the oldest unfinished file others may be begun; None for no bound.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        decode: Callable[[Path], Windows],
        encode: Callable[[Sequence[DecodedWindow], bool], list[EncodedWindow]],
        *,
        workers: int,
        encoders: int,
        batch_size: int,
        ahead: int | None = None,
    ) -> None:
        self._paths = iter(paths)
        self._decode, self._encode = decode, encode
        self._batch_size, self._ahead = batch_size, ahead
        # A batch at each encoder, one being gathered, and for each worker a window being decoded.
        self._in_flight = (encoders + 1) * batch_size + workers
        self._slots = Semaphore(self._in_flight)
        self._stopped = Event()
        self._jobs: SimpleQueue[tuple[_File, Callable[[], Windows]] | None] = SimpleQueue()
        self._batches: SimpleQueue[tuple[_Batch, bool] | None] = SimpleQueue()
        self._messages: SimpleQueue[tuple[_File, DecodedWindow | Part | _Ended] | _Encoded] = SimpleQueue()
        self._batch: _Batch = []
        self._open: dict[int, _File] = {}
        self._begun = self._decoding = self._encoding = 0
        self._windows: Sequence[EncodedWindow] = ()
        self._done: list[Numbered[EncodedVideo | Failed]] = []
        # Daemons, so that an iterator left lying about can't keep the interpreter from ending.
        self._threads = [
            Thread(target=work, name=f"centerclip-{name}-{number}", daemon=True)
            for name, work, count in (
                ("decode", self._work, workers),
                ("encode", self._encode_batches, encoders),
            )
            for number in range(count)
        ]

    def __iter__(self) -> Generator[Step, None, None]:
        """Yield what comes of each step, as soon as anything does."""
        atexit.register(self._stop)
        try:
            for thread in self._threads:
                thread.start()
            while True:
                self._begin_files()
                if len(self._batch) == self._batch_size or (self._batch and not self._decoding):
                    self._send_batch()
                if not (self._decoding or self._encoding):
                    return
                self._receive(self._messages.get())
                if self._windows or self._done:
                    step = Step(self._windows, self._done)
                    self._windows, self._done = (), []
                    yield step
        finally:
            self._stop()
            atexit.unregister(self._stop)

    def _begin_files(self) -> None:
        while self._decoding < self._in_flight:
            oldest = next(iter(self._open), self._begun)
            if self._ahead is not None and self._begun - oldest >= self._ahead:
                return
            path = next(self._paths, None)
            if path is None:
                return
            file = self._open[self._begun] = _File(self._begun, path)
            self._begun += 1
            self._decoding += 1
            self._jobs.put((file, partial(self._decode, path)))

    def _send_batch(self) -> None:
        alone = not (self._decoding or self._encoding)
        self._batches.put((self._batch, alone))
        self._batch = []
        self._encoding += 1

    def _receive(self, message: tuple[_File, DecodedWindow | Part | _Ended] | _Encoded) -> None:
        if isinstance(message, _Encoded):
            self._receive_encoded(message)
            return
        file, decoded = message
        if isinstance(decoded, Part):
            file.parts += 1
            self._decoding += 1
            self._jobs.put((file, decoded.decode))
            return
        if isinstance(decoded, DecodedWindow):
            file.info = decoded.info
            file.decoded += 1
            self._batch.append((file, decoded))
            return
        self._decoding -= 1
        file.parts -= 1
        if decoded.error is not None and file.failure is None:
            file.failure = _reason(file.path, decoded.error)
        self._settle(file)

    def _receive_encoded(self, message: _Encoded) -> None:
        self._encoding -= 1
        if isinstance(message.windows, BaseException):
            raise message.windows
        self._windows = message.windows
        for file, window in zip(message.files, message.windows, strict=True):
            file.encoded.append(window)
            self._settle(file)

    def _settle(self, file: _File) -> None:
        result = file.result()
        if result is not None and self._open.pop(file.number, None) is not None:
            self._done.append((file.number, result))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._stopped.is_set():
            file, decode = job
            error = None
            try:
                with closing(decode()) as windows:
                    while file.failure is None and self._send_next(file, windows):
                        pass
            # Whatever it is, the consumer's thread has to learn of it: it would wait for ever otherwise.
            except BaseException as raised:
                error = raised
            self._messages.put((file, _Ended(error)))

    def _send_next(self, file: _File, windows: Windows) -> bool:
        """Decode a window once there is a slot for it, or pass a part on; tell whether there was any."""
        self._slots.acquire()
        given = None
        try:
            if not self._stopped.is_set():
                given = next(windows, None)
        finally:
            if not isinstance(given, DecodedWindow):
                self._slots.release()
        if given is not None:
            self._messages.put((file, given))
        return given is not None

    def _encode_batches(self) -> None:
        while (job := self._batches.get()) is not None and not self._stopped.is_set():
            batch, alone = job
            files = [file for file, _ in batch]
            encoded: Sequence[EncodedWindow] | BaseException
            try:
                encoded = self._encode([window for _, window in batch], alone)
            except BaseException as error:  # as above
                encoded = error
            batch.clear()  # the frames go before their slots are given to others
            self._slots.release(len(files))
            self._messages.put(_Encoded(files, encoded))

    def _stop(self) -> None:
        self._stopped.set()
        self._slots.release()  # wakes one worker, which passes it on to the next
        for _ in self._threads:
            self._jobs.put(None)
            self._batches.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()


def _reason(path: Path, error: BaseException) -> str:
    """Say why a file could not be decoded; what is not that file's fault is raised."""
    if isinstance(error, VideoError):
        return str(error).removeprefix(f"{path}: ")
    # Decoders fed with damaged bytes may raise anything, and one file must not cost the run.
    if isinstance(error, Exception) and not isinstance(error, MemoryError):
        _log.debug("%s", path, exc_info=error)
        return f"unexpected {type(error).__name__} while it was decoded: {error}"
    raise error


def in_order(steps: Generator[Step, None, None]) -> Generator[EncodedVideo | Failed, None, None]:
    """Yield the results in the order of the paths; those that come early wait."""
    waiting: dict[int, EncodedVideo | Failed] = {}
    place = 0
    with closing(steps):
        for step in steps:
            waiting.update(step.results)
            while place in waiting:
                yield waiting.pop(place)
                place += 1
