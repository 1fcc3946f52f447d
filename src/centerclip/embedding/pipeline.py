"""Decoding and encoding side by side, with a bound on the frames in memory.

Streams of windows are read by some threads, one window per call; windows of any files form batches in the
order in which they arrive; other threads encode the batches. A file is finished when its last window is
encoded. Knows neither how a file is decoded nor how a batch is encoded.
"""

from __future__ import annotations

import logging
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

__all__ = ["Encode", "File", "Step", "run_pipeline"]

_log = logging.getLogger(__name__)
_E = TypeVar("_E")

Encode: TypeAlias = Callable[[Sequence[DecodedWindow], bool], Sequence[_E]]
"""Turns windows into embeddings, one each. The flag says that nothing else is running, so that it may use the
whole machine."""


@dataclass(slots=True, eq=False)
class File(Generic[_E]):
    """A file on its way through the pipeline.

    Attributes:
        number: its place among the items.
        info: known once a window is decoded.
        encoded: its windows with their embeddings, in the order in which they were finished.
        streams: those not yet read to their end.
        unfinished: windows that are decoded but not yet encoded.
        failure: why it can't be decoded, for its owner.
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
        """What became of a finished file: its windows' embeddings in the order of time."""
        if self.failure is not None or self.info is None:
            return Failed(self.item.path, self.failure or "no window was decoded")
        ordered = sorted(self.encoded, key=lambda pair: pair[0].start_seconds)
        return self.info, [encoded for _, encoded in ordered]


@dataclass(slots=True, eq=False)
class _Stream(Generic[_E]):
    """Windows of a file, or of a part of one; it is opened when it is first read."""

    file: File[_E]
    open: Callable[[], Windows]
    windows: Windows | None = None

    def read(self) -> DecodedWindow | Part | None:
        """The next window, another part of the file, or None at the end; called in a decoding thread."""
        if self.windows is None:
            self.windows = self.open()
        return next(self.windows, None)

    def close(self) -> None:
        if self.windows is not None:
            self.windows.close()


@dataclass(frozen=True, slots=True)
class Step(Generic[_E]):
    """What changed since the step before: windows that were encoded, and files that are finished."""

    windows: Sequence[Window] = ()
    files: Sequence[File[_E]] = ()


class _Pipeline(Generic[_E]):
    def __init__(
        self,
        items: Iterable[Item],
        decode: Callable[[Item], Windows],
        encode: Encode[_E],
        *,
        workers: int,
        encoders: int,
        batch_size: int,
        ahead: int | None,
    ) -> None:
        self._items = iter(items)
        self._decode, self._encode = decode, encode
        self._workers, self._batch_size, self._ahead = workers, batch_size, ahead
        # A batch at each encoder, one being gathered, and a window at each decoder.
        self._room = (encoders + 1) * batch_size + workers
        self._decoders = ThreadPoolExecutor(workers, "centerclip-decode")
        self._encoders = ThreadPoolExecutor(encoders, "centerclip-encode")
        self._unread: deque[_Stream[_E]] = deque()
        self._reading: dict[Future[DecodedWindow | Part | None], _Stream[_E]] = {}
        self._batch: list[tuple[File[_E], DecodedWindow]] = []
        self._encoding: dict[Future[list[_E]], list[tuple[File[_E], Window]]] = {}
        self._open: dict[int, File[_E]] = {}
        self._begun = 0

    def steps(self, tick_seconds: float | None) -> Generator[Step[_E], None, None]:
        try:
            while True:
                self._read_on()
                while len(self._batch) >= self._batch_size or (self._batch and not self._decoding):
                    self._submit_batch()
                if not (self._decoding or self._encoding):
                    return
                windows = self._receive(tick_seconds)
                finished = [file for file in self._open.values() if file.done]
                for file in finished:
                    del self._open[file.number]
                yield Step(windows, finished)
        finally:
            self._stop()

    @property
    def _decoding(self) -> bool:
        return bool(self._reading or self._unread)

    def _read_on(self) -> None:
        """Let every idle decoder read a window, as long as there is room for it."""
        while len(self._reading) < self._workers and self._held < self._room:
            stream = self._unread.popleft() if self._unread else self._next_file()
            if stream is None:
                return
            if stream.file.failure is None:
                self._reading[self._decoders.submit(stream.read)] = stream
            else:
                stream.close()

    @property
    def _held(self) -> int:
        return len(self._reading) + len(self._batch) + sum(map(len, self._encoding.values()))

    def _next_file(self) -> _Stream[_E] | None:
        oldest = next(iter(self._open), self._begun)
        if self._ahead is not None and self._begun - oldest >= self._ahead:
            return None
        item = next(self._items, None)
        if item is None:
            return None
        file = self._open[self._begun] = File[_E](self._begun, item)
        self._begun += 1
        return _Stream(file, partial(self._decode, item))

    def _receive(self, tick_seconds: float | None) -> list[Window]:
        """Wait for a read or a batch, and return the windows that were encoded."""
        futures: list[Future[Any]] = [*self._reading, *self._encoding]
        windows: list[Window] = []
        for future in wait(futures, tick_seconds, FIRST_COMPLETED).done:
            if future in self._reading:
                self._take_read(future)
            else:
                windows += self._take_encoded(future)
        return windows

    def _take_read(self, future: Future[DecodedWindow | Part | None]) -> None:
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
            self._unread.appendleft(stream)  # what is open goes on before anything else is opened

    def _submit_batch(self) -> None:
        batch, self._batch = self._batch[: self._batch_size], self._batch[self._batch_size :]
        alone = not (self._decoding or self._encoding or self._batch)
        future = self._encoders.submit(self._encode_batch, [window for _, window in batch], alone)
        self._encoding[future] = [(file, window.window) for file, window in batch]

    def _encode_batch(self, windows: list[DecodedWindow], alone: bool) -> list[_E]:
        try:
            return list(self._encode(windows, alone))
        finally:
            windows.clear()  # frees the frames, whatever holds on to the call

    def _take_encoded(self, future: Future[list[_E]]) -> list[Window]:
        batch = self._encoding.pop(future)
        for (file, window), encoded in zip(batch, future.result(), strict=True):
            file.unfinished -= 1
            file.encoded.append((window, encoded))
        return [window for _, window in batch]

    def _stop(self) -> None:
        for pool in (self._decoders, self._encoders):
            pool.shutdown(cancel_futures=True)
        for stream in [*self._reading.values(), *self._unread]:
            stream.close()


def run_pipeline(
    items: Iterable[Item],
    decode: Callable[[Item], Windows],
    encode: Encode[_E],
    *,
    workers: int,
    encoders: int,
    batch_size: int,
    ahead: int | None = None,
    tick_seconds: float | None = None,
) -> Generator[Step[_E], None, None]:
    """Decode and encode files, and yield what is finished as soon as it is, in no order.

    A file that can't be decoded fails by itself. What `encode` or `items` raise, and lack of memory anywhere,
    ends the iteration. Closing the iterator ends the threads after the windows they are working on.

    Args:
        items: taken shortly before their turn; may be endless.
        decode: opens a file and returns its windows, at least one, in the order of time, and before them
            other parts of the file, if any. Called in a decoding thread.
        encode: called in an encoding thread.
        workers: decoding threads; each reads one stream at a time.
        encoders: encoding threads.
        batch_size: windows given to `encode` at a time; only the last batch is smaller.
        ahead: how many files may be open from the oldest unfinished one on; None for no bound.
        tick_seconds: yield an empty step when nothing has happened for this long; None to wait.
    """
    pipeline = _Pipeline(
        items, decode, encode, workers=workers, encoders=encoders, batch_size=batch_size, ahead=ahead
    )
    return pipeline.steps(tick_seconds)


def _reason(path: Path, error: BaseException) -> str:
    """Say why a file could not be decoded; raise what is not that file's fault."""
    if isinstance(error, VideoError):
        return str(error).removeprefix(f"{path}: ")
    # Decoders fed with damaged bytes may raise anything, and one file must not end the run.
    if isinstance(error, Exception) and not isinstance(error, MemoryError):
        _log.debug("%s", path, exc_info=error)
        return f"unexpected {type(error).__name__} while decoding: {error}"
    raise error
