"""Videos at addresses, downloaded whole to be indexed: indexing reads most of a file anyway.

The next files are downloaded while others are encoded. What lies on the disk is bounded, and deleted as soon
as it isn't needed any more; what a killed run left is deleted by the next one.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import Self

import platformdirs
from filelock import FileLock, Timeout

from centerclip.errors import IndexStoreError, VideoError
from centerclip.index import FileStamp
from centerclip.remote import Address
from centerclip.remote.access import NoRangesError, source_of

__all__ = ["LIMIT_BYTES", "Spool", "batches"]

LIMIT_BYTES = 16 << 30
"""Of what lies on the disk; at most half of what is free. A larger file is downloaded alone."""
_PIECE_BYTES = 8 << 20
"""Asked for at once. If one fails several times, the file fails."""
_THREADS = 3
_YOUNG_SECONDS = 60.0
"""A folder that was made just now may not be locked yet."""
_PREFIX, _LOCK = "centerclip-spool-", "lock"
"""Names of a run's folder and of the lock in it. Whatever else a user's folder holds is never touched."""
_JOIN_SECONDS = 5.0
"""How long a download that is stopped may take to end before its file is deleted all the same."""


class Spool:
    """Downloads files in order, in threads of its own; use it in a `with` block.

    Args:
        files: at addresses, each once.
        limit_bytes: what may lie on the disk; by default `LIMIT_BYTES`.
        folder: where a folder is made; by default the user's cache folder.
    """

    def __init__(
        self, files: Sequence[FileStamp], *, limit_bytes: int | None = None, folder: Path | None = None
    ) -> None:
        self._todo = deque(files)
        self._numbers = {file.path: number for number, file in enumerate(files)}
        self._changed = Condition()
        self._sizes: dict[Path, int] = {}
        """Of the files that are on the disk or about to be."""
        self._done: dict[Path, Path | Exception] = {}
        self._stopped = False
        top = folder or platformdirs.user_cache_path("centerclip", appauthor=False) / "spool"
        try:
            top.mkdir(parents=True, exist_ok=True)
            _remove_left(top)
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=top))
            self._lock = FileLock(self._folder / _LOCK)
            self._lock.acquire(blocking=False)
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise IndexStoreError(
                f"{top}: no folder for downloaded videos can be made here ({error.strerror}); choose another "
                "with --spool"
            ) from error
        self.limit_bytes = min(limit_bytes or LIMIT_BYTES, max(1, free // 2))
        self._threads = [
            Thread(target=self._work, name="centerclip-spool", daemon=True) for _ in range(_THREADS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        self._lock.release()
        shutil.rmtree(self._folder, ignore_errors=True)

    def stop(self) -> None:
        """Download nothing more; whoever waits for a file gets an error."""
        with self._changed:
            self._stopped = True
            self._todo.clear()
            self._changed.notify_all()

    @contextlib.contextmanager
    def stopping(self) -> Iterator[None]:
        """Stop if the block ends by an exception, before whoever waits for a file is waited for."""
        try:
            yield
        except BaseException:
            self.stop()
            raise

    def local(self, path: Path) -> Path:
        """Return where a file can be read: an address on the disk once it is downloaded, a path as it is.

        Raises:
            VideoError: it can't be downloaded.
        """
        if path not in self._numbers:
            return path
        with self._changed:
            self._changed.wait_for(lambda: path in self._done or self._stopped)
            found = self._done.get(path)
        if found is None:
            raise VideoError(f"{path}: its download was stopped")
        if isinstance(found, Exception):
            raise found
        return found

    def failure(self, path: Path) -> Exception | None:
        """Return why a file couldn't be downloaded, which isn't to be recorded; None if it could."""
        with self._changed:
            found = self._done.get(path)
        return found if isinstance(found, Exception) else None

    def release(self, files: Iterable[Path]) -> None:
        """Delete files that aren't needed any more."""
        with self._changed:
            for path in files:
                found = self._done.pop(path, None)
                if isinstance(found, Path):
                    found.unlink(missing_ok=True)
                if found is not None:
                    self._sizes.pop(path, None)
            self._changed.notify_all()

    def _work(self) -> None:
        while (file := self._next()) is not None:
            try:
                made: Path | Exception = self._download(file)
            except Exception as error:  # told to whoever waits
                made = error
            with self._changed:
                self._done[file.path] = made
                if isinstance(made, Exception):
                    self._sizes.pop(file.path, None)
                self._changed.notify_all()

    def _next(self) -> FileStamp | None:
        """Wait until the next file has room, and return it."""
        with self._changed:
            while True:
                if self._stopped or not self._todo:
                    return None
                if (
                    not self._sizes
                    or sum(self._sizes.values()) + self._todo[0].size_bytes <= self.limit_bytes
                ):
                    file = self._todo.popleft()
                    self._sizes[file.path] = file.size_bytes
                    return file
                self._changed.wait()

    def _download(self, file: FileStamp) -> Path:
        address = file.path
        assert isinstance(address, Address)
        target = self._folder / f"{self._numbers[address]}{address.suffix}"
        try:
            free = shutil.disk_usage(self._folder).free
            if file.size_bytes > max(free, self.limit_bytes):  # it is alone, so that nothing makes room
                raise VideoError(
                    f"{address}: can't be downloaded: it has {file.size_bytes / 1e9:,.1f} GB, but "
                    f"{free / 1e9:,.1f} GB are free at {self._folder.parent}; choose another folder with "
                    "--spool"
                )
            if file.size_bytes > free:
                raise OSError(errno.ENOSPC, "")
            with target.open("wb") as written:
                for piece in _pieces(address, lambda: self._stopped):
                    written.write(piece)
        except OSError as error:
            target.unlink(missing_ok=True)
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise IndexStoreError(
                    f"{self._folder.parent}: the disk is full, so {address} can't be downloaded; make room "
                    f"for {file.size_bytes / 1e9:.1f} GB, or choose another folder with --spool"
                ) from error
            raise VideoError(f"{address}: can't be downloaded: {error.strerror}") from error
        return target


def batches(files: Iterable[FileStamp], limit_bytes: int) -> Iterator[list[FileStamp]]:
    """Divide files into batches of half the limit, so that the next one can be downloaded meanwhile."""
    batch: list[FileStamp] = []
    size = 0
    for file in files:
        if batch and size + file.size_bytes > limit_bytes // 2:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size_bytes
    if batch:
        yield batch


def _pieces(address: Address, is_stopped: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the content of an object, as it was looked at; raises `OSError`."""
    source, status = source_of(address), address.status()
    start = 0
    while start < status.size_bytes:
        if is_stopped():
            raise OSError(errno.ECANCELED, "the download was stopped")
        try:
            piece = source.read(address, status, start, min(_PIECE_BYTES, status.size_bytes - start))
        except NoRangesError:
            break
        start += len(piece)
        yield piece
    else:
        return
    for piece in source.whole(address, status):
        if is_stopped():
            raise OSError(errno.ECANCELED, "the download was stopped")
        start += len(piece)
        yield piece
    if start != status.size_bytes:
        raise OSError(errno.EIO, "the connection broke off, and its server can't go on where it did")


def _remove_left(top: Path) -> None:
    """Delete what runs have left that were killed: folders whose lock nobody holds."""
    for folder in top.glob(f"{_PREFIX}*"):
        with contextlib.suppress(Timeout, OSError):  # another run may delete it at the same time
            if not (folder / _LOCK).is_file() or time.time() - folder.stat().st_mtime < _YOUNG_SECONDS:
                continue
            lock = FileLock(folder / _LOCK)
            lock.acquire(blocking=False)
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)
