"""Shards of files: how many go to a task together, and what is tried again when one is lost. Knows no Ray."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from centerclip.records import EncodedVideo, Failed, Item

__all__ = ["CRASHED", "Shard", "cut_shards"]

CRASHED = (
    "the worker that decoded it ended twice with it alone, perhaps because memory ran out; to try it again: "
    "centerclip index --retry-failed"
)
_FILES = 16
_BYTES = 200_000_000
"""A task gets no more than so many files or bytes, about a minute's work, so that the last ones end together
and little is done again after a loss."""
_CRASHES = 2
"""How often a worker may end with a file alone."""
_LOSSES = 5
"""How often a shard may be lost for other reasons."""


@dataclass(eq=False, slots=True)
class Shard:
    """Files for one task.

    Attributes:
        left: those without a result.
        crashes: how often a worker ended with these files alone.
        losses: how often the task was lost without its fault.
        heard: when its task last answered; None if it hasn't begun.
        ready: whether its task had begun to encode.
    """

    left: dict[Path, None]
    crashes: int = 0
    losses: int = 0
    heard: float | None = None
    ready: bool = False

    @classmethod
    def of(cls, paths: Iterable[Path], crashes: int = 0) -> Shard:
        return cls(dict.fromkeys(paths), crashes)

    def take(self, results: Sequence[EncodedVideo | Failed]) -> list[EncodedVideo | Failed]:
        """Cross off files that have a result; return the results of those that hadn't."""
        taken = [result for result in results if result.path in self.left]
        for result in taken:
            del self.left[result.path]
        return taken

    def is_silent(self, seconds: float, *, at: float) -> bool:
        """Whether its task has begun, and had said nothing for so long at an instant of `monotonic`."""
        return self.heard is not None and at - self.heard > seconds

    def again(self, *, crashed: bool) -> tuple[list[Shard], list[Path]]:
        """Return the shards to try next, and the files to give up.

        The files of a worker that crashed while it encoded are tried alone, so that only the right one is
        given up.

        Args:
            crashed: whether the worker ended, rather than its node.

        Raises:
            OverflowError: the shard was lost too often before a worker began to encode.
        """
        if not self.left:
            return [], []
        if not (crashed and self.ready):
            self.losses += 1
            if self.losses < _LOSSES:
                self.ready = False
                return [self], []
            if not self.ready:
                raise OverflowError
        if len(self.left) > 1:
            return [Shard.of([path]) for path in self.left], []
        if self.crashes + 1 >= _CRASHES:
            return [], list(self.left)
        return [Shard.of(self.left, self.crashes + 1)], []


def cut_shards(items: Iterable[Item]) -> Iterator[Shard]:
    """Cut files into shards, each taken from the items only when it is asked for."""
    paths: list[Path] = []
    size = 0
    for item in items:
        paths.append(item.path)
        with suppress(OSError):  # its task will report it
            size += os.stat(item.path).st_size
        if len(paths) >= _FILES or size >= _BYTES:
            yield Shard.of(paths)
            paths, size = [], 0
    if paths:
        yield Shard.of(paths)
