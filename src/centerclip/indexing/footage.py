"""How much footage a run has encoded, and how much is left.

A file's length is known once one of its windows is encoded. Until then it is estimated by the file's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from centerclip.records import VideoInfo, Window

__all__ = ["Footage"]


class Footage:
    """Counts seconds of footage.

    Args:
        sizes: of the files to encode, in bytes.
    """

    def __init__(self, sizes: Mapping[Path, int]) -> None:
        self._unopened = dict(sizes)
        self._unopened_bytes = sum(sizes.values())
        self._opened_bytes = 0
        self._opened_seconds = 0.0
        self._left: dict[Path, float] = {}
        """Of the files that are being encoded."""
        self.seconds = 0.0
        """How much is encoded, including windows of files that failed later."""

    @property
    def is_estimate(self) -> bool:
        """Whether the length of some files isn't known yet."""
        return bool(self._unopened)

    @property
    def total_seconds(self) -> float | None:
        """All footage to encode, as far as anybody can tell; None before the first window."""
        if self._unopened and not self._opened_bytes:
            return None
        per_byte = self._opened_seconds / self._opened_bytes if self._opened_bytes else 0.0
        return self.seconds + max(0.0, sum(self._left.values())) + self._unopened_bytes * per_byte

    def add(self, file: VideoInfo, window: Window) -> None:
        """Count a window that was encoded."""
        length = window.end_seconds - window.start_seconds
        self.seconds += length
        if file.path in self._unopened:
            self._opened_bytes += self._close(file.path)
            self._opened_seconds += file.duration_seconds
            self._left[file.path] = file.duration_seconds
        if file.path in self._left:  # not so if the file has failed meanwhile
            self._left[file.path] -= length

    def finish(self, path: Path) -> None:
        """Expect nothing more of a file, because it is encoded or has failed."""
        self._left.pop(path, None)
        self._close(path)

    def _close(self, path: Path) -> int:
        size = self._unopened.pop(path, 0)
        self._unopened_bytes -= size
        return size
