"""Clips made for browsers, kept on the disk until they are the longest unused."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock

from centerclip.index import StoredVideo
from centerclip.serve.cutting import cut_clip

__all__ = ["MAX_CLIP_SECONDS", "ClipCache"]

MAX_CLIP_SECONDS = 60.0


class ClipCache:
    """A folder of clips, which several processes may share.

    Args:
        folder: made when it is first needed.
        max_bytes: what the clips may take together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = Lock()

    def get(self, video: StoredVideo, start: float, end: float) -> Path:
        """The clip of a moment, made where it isn't there yet.

        Args:
            video: the file.
            start, end: seconds; of a moment longer than a minute, its first minute.

        Raises:
            VideoError: the file can't be decoded.
        """
        start = max(0.0, min(start, video.info.duration_seconds - 0.1))
        end = min(max(end, start + 0.1), start + MAX_CLIP_SECONDS, video.info.duration_seconds)
        path = self._folder / f"{video.info.video_id}-{start:.2f}-{end:.2f}.mp4"
        if self._touch(path):
            return path
        with self._lock:  # whoever waited for the same clip finds it
            if self._touch(path):
                return path
            self._folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
                part = Path(file.name)
            try:
                cut_clip(video.info, part, start=start, end=end)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
            self._evict(keep=path)
        return path

    def _touch(self, path: Path) -> bool:
        try:
            os.utime(path)
        except OSError:
            return False
        return True

    def _evict(self, *, keep: Path) -> None:
        clips = [entry for entry in os.scandir(self._folder) if entry.name.endswith(".mp4")]
        stats = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in clips)
        total = sum(size for _, size, _ in stats)
        for _, size, path in stats:
            if total <= self._max_bytes:
                return
            if path != str(keep):
                Path(path).unlink(missing_ok=True)
                total -= size
