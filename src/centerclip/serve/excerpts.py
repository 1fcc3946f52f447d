"""Excerpts made for browsers, kept on disk until the space is needed for newer ones."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock

from centerclip.index import StoredVideo
from centerclip.video import cut_excerpt

__all__ = ["ExcerptCache"]

_MAX_SECONDS = 60.0


class ExcerptCache:
    """A folder of excerpts, which several servers may share.

    Args:
        folder: created when it is first needed.
        max_bytes: maximum total size; the least recently used excerpts are deleted first.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = Lock()

    def get(self, video: StoredVideo, start: float, end: float) -> Path:
        """Return the excerpt of a moment, and make it if it isn't there yet.

        Args:
            video: the file.
            start, end: seconds; an excerpt ends after a minute.

        Raises:
            VideoError: the file can't be decoded.
        """
        start = max(0.0, min(start, video.info.duration_seconds - 0.1))
        end = min(max(end, start + 0.1), start + _MAX_SECONDS, video.info.duration_seconds)
        path = self._folder / f"{video.info.video_id}-{start:.2f}-{end:.2f}.mp4"
        if _touch(path):
            return path
        with self._lock:
            if _touch(path):  # another request has just made it
                return path
            self._folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
                part = Path(file.name)
            try:
                cut_excerpt(video.info.path, part, start=start, end=end)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
            self._evict(keep=path)
        return path

    def _evict(self, *, keep: Path) -> None:
        excerpts = [entry for entry in os.scandir(self._folder) if entry.name.endswith(".mp4")]
        stats = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in excerpts)
        total = sum(size for _, size, _ in stats)
        for _, size, path in stats:
            if total <= self._max_bytes:
                return
            if path != str(keep):
                Path(path).unlink(missing_ok=True)
                total -= size


def _touch(path: Path) -> bool:
    """Mark a file as just used; False if there is none."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True
