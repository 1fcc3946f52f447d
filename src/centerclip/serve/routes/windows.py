"""Looks up videos and windows by what visitors know: an id, and seconds."""

from __future__ import annotations

from typing import Annotated

from fastapi import HTTPException
from pydantic import StringConstraints

from centerclip.index import StoredVideo, StoredWindow
from centerclip.serve.services import Services

__all__ = ["VideoId", "open_video", "window_at"]

VideoId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


def window_at(services: Services, video_id: str, seconds: float) -> StoredWindow:
    """The window that contains an instant; the last window for an instant after the end.

    Raises:
        HTTPException: the index has no such video (404).
    """
    windows = services.index.windows(video_id)
    if not windows:
        raise _unknown(video_id)
    inside = [window for window in windows if window.window.start_seconds <= seconds + 1e-6]
    return inside[-1] if inside else windows[0]


def open_video(services: Services, video_id: str) -> StoredVideo:
    """The file of a video, still as it was indexed.

    Raises:
        HTTPException: the index has no such video (404).
        GoneError: the file was moved, deleted or changed.
    """
    video = services.library.open(video_id)
    if video is None:
        raise _unknown(video_id)
    return video


def _unknown(video_id: str) -> HTTPException:
    return HTTPException(404, f"video {video_id} not found: take the id from a hit")
