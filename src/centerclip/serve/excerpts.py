"""Excerpts for browsers, and clips in full quality, kept on disk until the space is needed for newer ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from uuid import uuid4

from centerclip.clips.moment import clip_suffix
from centerclip.index import StoredVideo
from centerclip.video import cut_clip, cut_excerpt

__all__ = ["ExcerptCache"]

_MAX_SECONDS = 60.0


class ExcerptCache:
    """A folder of excerpts and clips, which several servers may share.

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
        start, end = _within(video, start, end, _MAX_SECONDS)
        name = f"{video.info.video_id}-{start:.2f}-{end:.2f}.mp4"
        return self._made(name, partial(cut_excerpt, video.info.path, start=start, end=end))

    def clip(self, video: StoredVideo, start: float, end: float) -> Path:
        """Return the clip of a moment in full quality, and cut it if it isn't there yet.

        Args:
            video: the file.
            start, end: seconds, start < end; as far as the file has them.

        Raises:
            VideoError: the file can't be decoded.
        """
        start, end = _within(video, start, end, end - start)
        name = f"{video.info.video_id}-{start:.3f}-{end:.3f}-clip{clip_suffix(video.info.path)}"
        return self._made(name, partial(cut_clip, video.info.path, start=start, end=end))

    def folder(self) -> TemporaryDirectory[str]:
        """A folder for intermediate files, on the same disk."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix="reel-", dir=self._folder)

    def _made(self, name: str, cut: Callable[..., object]) -> Path:
        """Return the file of this name; if it isn't there, `cut` makes it at the path that it gets."""
        path = self._folder / name
        if _touch(path):
            return path
        with self._lock:
            if _touch(path):  # another request has just made it
                return path
            self._folder.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{uuid4().hex}.part{path.suffix}")
            try:
                cut(target=part)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
            self._evict(keep=path)
        return path

    def _evict(self, *, keep: Path) -> None:
        made = (".mp4", ".mov")
        excerpts = [
            entry for entry in os.scandir(self._folder) if entry.name.endswith(made) and entry.name[0] != "."
        ]
        stats = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in excerpts)
        total = sum(size for _, size, _ in stats)
        for _, size, path in stats:
            if total <= self._max_bytes:
                return
            if path != str(keep):
                Path(path).unlink(missing_ok=True)
                total -= size


def _within(video: StoredVideo, start: float, end: float, longest: float) -> tuple[float, float]:
    """Limit a moment to its file, and to a length."""
    start = max(0.0, min(start, video.info.duration_seconds - 0.1))
    return start, min(max(end, start + 0.1), start + longest, video.info.duration_seconds)


def _touch(path: Path) -> bool:
    """Mark a file as just used; False if there is none."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True
