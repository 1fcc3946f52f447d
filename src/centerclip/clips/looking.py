"""Looks at the files of moments, each once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from centerclip.errors import VideoError
from centerclip.records import Failed
from centerclip.video import media_of
from centerclip.video.media import Media

__all__ = ["failed", "look"]


def look(paths: Iterable[Path]) -> dict[Path, Media | Failed]:
    """Describe each file for editing programs; `Failed` if it can't be read."""
    return {path: _look(path) for path in dict.fromkeys(paths)}


def failed(path: Path, error: VideoError) -> Failed:
    """Return the failure of a file, whose reason doesn't repeat its path."""
    return Failed(path, str(error).removeprefix(f"{path}: "))


def _look(path: Path) -> Media | Failed:
    try:
        return media_of(path)
    except VideoError as error:
        return failed(path, error)
