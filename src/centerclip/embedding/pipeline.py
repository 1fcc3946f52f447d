"""Decode and encode files side by side, in bounded memory.

Decoding threads read windows, encoding threads embed them. Windows of any files form batches in the order in
which they arrive; a file is finished when its last window is encoded. Knows neither how to decode a file nor
how to encode a batch.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from centerclip.embedding.decode import DecodedWindow, Part, Windows
from centerclip.errors import VideoError
from centerclip.records import Failed, Item, VideoInfo, Window

__all__ = ["Encode", "File", "Pipeline", "Step"]

_log = logging.getLogger(__name__)
_E = TypeVar("_E")

Encode: TypeAlias = Callable[[Sequence[DecodedWindow], bool], Sequence[_E]]
"""Returns one embedding per window. If the flag is true, nothing else is running: use the whole machine."""


@dataclass(slots=True, eq=False)
class File(Generic[_E]):
    """A file on its way through the pipeline.

    Attributes:
        number: position among the items.
        info: known once a window is decoded.
        encoded: windows with their embeddings, in the order in which they were finished.
        streams: streams of windows that aren't exhausted.
        unfinished: windows that are decoded but not encoded.
        failure: why the file can't be decoded, in words for its owner.
    """

    number: int
    item: Item
    info: VideoInfo | None = None
    encoded: list[tuple[Window, _E]] = field(default_factory=list)
    streams: int = 1
    unfinished: int = 0
    failure: str | None = None

    @property
    def done(self) -> bool:
        return self.failure is not None or not (self.streams or self.unfinished)

    def result(self) -> tuple[VideoInfo, list[_E]] | Failed:
        """Return a finished file's embeddings in time order."""
        if self.failure is not None or self.info is None:
            return Failed(self.item.path, self.failure or "no window was decoded")
        ordered = sorted(self.encoded, key=lambda pair: pair[0].start_seconds)
        return self.info, [encoded for _, encoded in ordered]


@dataclass(slots=True, eq=False)
class _Stream(Generic[_E]):
    """Windows of a file, or of a part of it; opened by the first read."""

    file: File[_E]
    open: Callable[[], Windows]
    windows: Windows | None = None

    def read(self) -> DecodedWindow | Part | None:
        """Return the next window or another part of the file, or None at the end."""
        if self.windows is None:
            self.windows = self.open()
        return next(self.windows, None)

    def close(self) -> None:
        if self.windows is not None:
            self.windows.close()


@dataclass(frozen=True, slots=True)
class Step(Generic[_E]):
    """The windows (each with its file) encoded and the files finished since the previous step."""

    windows: Sequence[tuple[VideoInfo, Window]] = ()
    files: Sequence[File[_E]] = ()


@dataclass(eq=False)
class Pipeline(Generic[_E]):
    """Decodes and encodes files.

    A file that can't be decoded fails alone. Errors of `encode` or `items`, and lack of memory anywhere, end
    the iteration.

    Attributes:
        items: consumed shortly before their turn; may be endless.
        decode: opens a file and returns its windows, at least one, in time order, preceded by other parts of
            the file, if any. Called in a decoding thread.
        encode: called in an encoding thread.
        workers: decoding threads; each reads one stream at a time.
        encoders: encoding threads.
        batch_size: windows per call of `encode`; only the last batch is smaller.
        ahead: how many files may be opened, counted from the oldest unfinished one; None for no limit.
        tick_seconds: yield an empty step if nothing has happened for this long; None to wait.
    """

    items: Iterable[Item]
    decode: Callable[[Item], Windows]
    encode: Encode[_E]
    workers: int
    encoders: int
    batch_size: int
    ahead: int | None = None
    tick_seconds: float | None = None

    def __post_init__(self) -> None:
        self._items = iter(self.items)
        self._decoders = ThreadPoolExecutor(self.workers, "centerclip-decode")
        self._encoders = ThreadPoolExecutor(self.encoders, "centerclip-encode")
        self._unread: deque[_Stream[_E]] = deque()
        self._reading: dict[Future[DecodedWindow | Part | None], _Stream[_E]] = {}
        self._batch: list[tuple[File[_E], DecodedWindow]] = []
        self._encoding: dict[Future[list[_E]], list[tuple[File[_E], VideoInfo, Window]]] = {}
        self._unfinished: dict[int, File[_E]] = {}
        self._opened = 0

    def steps(self) -> Generator[Step[_E], None, None]:
        """Yield results as they are finished, in no order.

        Closing the iterator drops what isn't encoded yet. It waits for decoding threads, and leaves encoding
        threads alone, which end after the batch they are working on: one may take many seconds on a CPU.
        """
        patient = True
        try:
            while True:
                self._start_reading()
                self._start_encoding()
                if not (self._reading or self._encoding):
                    return
                yield self._wait()
        except GeneratorExit:
            patient = False
            raise
        finally:
            if not sys.is_finalizing():  # the program has waited for its threads then, and modules are gone
                self._decoders.shutdown(cancel_futures=True)
                self._encoders.shutdown(wait=patient, cancel_futures=True)
                for stream in [*self._reading.values(), *self._unread]:
                    stream.close()

    def _start_reading(self) -> None:
        """Let idle decoders read, as long as there is room for their windows."""
        waiting = len(self._batch) + sum(map(len, self._encoding.values()))
        # A batch per encoder, one being collected, and a window per decoder.
        room = (self.encoders + 1) * self.batch_size + self.workers - waiting
        while len(self._reading) < min(self.workers, room) and (stream := self._next_stream()):
            self._reading[self._decoders.submit(stream.read)] = stream

    def _next_stream(self) -> _Stream[_E] | None:
        """Return the stream to read next: an open one if possible, otherwise the next file's."""
        while self._unread:
            stream = self._unread.popleft()
            if stream.file.failure is None:
                return stream
            stream.close()
        oldest = next(iter(self._unfinished), self._opened)
        if self.ahead is not None and self._opened - oldest >= self.ahead:
            return None
        item = next(self._items, None)
        if item is None:
            return None
        file = self._unfinished[self._opened] = File[_E](self._opened, item)
        self._opened += 1
        return _Stream(file, partial(self.decode, item))

    def _start_encoding(self) -> None:
        """Submit the batches that are full, and the last one once nothing is left to decode."""
        decoding = self._reading or self._unread
        while len(self._batch) >= self.batch_size or (self._batch and not decoding):
            batch, self._batch = self._batch[: self.batch_size], self._batch[self.batch_size :]
            alone = not (decoding or self._encoding or self._batch)
            future = self._encoders.submit(self._encode, [window for _, window in batch], alone)
            self._encoding[future] = [(file, window.info, window.window) for file, window in batch]

    def _encode(self, windows: list[DecodedWindow], alone: bool) -> list[_E]:
        try:
            return list(self.encode(windows, alone))
        finally:
            windows.clear()  # frees the frames even if something keeps a reference to the call

    def _wait(self) -> Step[_E]:
        """Wait for a window or a batch, and return what has changed."""
        encoded: list[tuple[VideoInfo, Window]] = []
        futures: list[Future[Any]] = [*self._reading, *self._encoding]
        for future in wait(futures, self.tick_seconds, FIRST_COMPLETED).done:
            if future in self._reading:
                self._receive_read(future)
            else:
                encoded += self._receive_encoded(future)
        finished = [file for file in self._unfinished.values() if file.done]
        for file in finished:
            del self._unfinished[file.number]
        return Step(encoded, finished)

    def _receive_read(self, future: Future[DecodedWindow | Part | None]) -> None:
        stream = self._reading.pop(future)
        file = stream.file
        error = future.exception()
        read = None if error is not None else future.result()
        if error is not None and file.failure is None:
            file.failure = _reason(file.item.path, error)
        if isinstance(read, Part):
            file.streams += 1
            self._unread.append(_Stream(file, read.decode))
        elif isinstance(read, DecodedWindow):
            file.info = read.info
            file.unfinished += 1
            self._batch.append((file, read))
        if read is None or file.failure is not None:
            stream.close()
            file.streams -= 1
        else:
            self._unread.appendleft(stream)  # continue open streams before opening others

    def _receive_encoded(self, future: Future[list[_E]]) -> list[tuple[VideoInfo, Window]]:
        batch = self._encoding.pop(future)
        for (file, _, window), encoded in zip(batch, future.result(), strict=True):
            file.unfinished -= 1
            file.encoded.append((window, encoded))
        return [(info, window) for _, info, window in batch]


def _reason(path: Path, error: BaseException) -> str:
    """Return why a file can't be decoded; raise errors that aren't the file's fault."""
    if isinstance(error, VideoError):
        return str(error).removeprefix(f"{path}: ")
    # Decoders may raise anything on damaged bytes, and one file must not end the run.
    if isinstance(error, Exception) and not isinstance(error, MemoryError):
        _log.debug("%s", path, exc_info=error)
        return f"unexpected {type(error).__name__} while decoding: {error}"
    raise error
