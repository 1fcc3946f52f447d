"""Several runs on one index: which files are whose, and when each run may write.

A run has the index to itself unless it does only a shard of the files. Then other runs do the rest at the
same time, and each locks the index only for as long as it takes to write what it has encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from centerclip.index import VideoIndex, Writer
from centerclip.index.schema import stored_path
from centerclip.records import EncodedVideo, Failed, Transcript, VideoInfo

__all__ = ["Shard", "Turns"]

_TURN_SECONDS = 600.0
"""How long a run waits at least for its turn. The others' turns take seconds."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count` equal parts of all files; 1 is the first.

    A file's part depends on nothing but its path, so runs needn't know of each other.
    """

    number: int
    count: int

    def has(self, path: Path) -> bool:
        """Whether the file belongs to this part."""
        digest = hashlib.blake2b(stored_path(path).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1


class Turns:
    """Writes to an index while entered.

    Args:
        index: bound to a model.
        wait_seconds: how long to wait for another writer; a negative number waits forever.
        shared: whether to lock the index for each call of a method, instead of all the time.

    Raises:
        IndexLockedError: another writer kept the lock; raised on entering, or if `shared` by any method.
    """

    def __init__(self, index: VideoIndex, wait_seconds: float, *, shared: bool) -> None:
        self._index = index
        self._shared = shared
        self._wait_seconds = (
            max(wait_seconds, _TURN_SECONDS) if shared and wait_seconds >= 0 else wait_seconds
        )
        self._held: Writer | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if not self._shared:
            self._held = self._stack.enter_context(self._index.writer(wait_seconds=self._wait_seconds))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = None
        self._stack.__exit__(kind, error, trace)

    @contextmanager
    def take(self) -> Iterator[Writer]:
        """Have the index to oneself for several changes."""
        if self._held is not None:
            yield self._held
            return
        with self._index.writer(wait_seconds=self._wait_seconds) as writer:
            yield writer

    def add(self, results: Sequence[EncodedVideo | Failed]) -> list[EncodedVideo | Failed]:
        """Call `Writer.add` in a turn; nothing waits for one without results."""
        if not results:
            return []
        with self.take() as writer:
            return writer.add(results)

    def add_transcripts(
        self, transcripts: Sequence[tuple[VideoInfo, Transcript]]
    ) -> list[tuple[VideoInfo, Transcript]]:
        """Call `Writer.add_transcripts` in a turn, for the files that are still in the index.

        Returns:
            What was written: another run may have removed the other files.
        """
        if not transcripts:
            return []
        with self.take() as writer:
            encoded = writer.encoded(info.path for info, _ in transcripts)
            known = [(info, made) for info, made in transcripts if info.path in encoded]
            writer.add_transcripts(known)
        return known
