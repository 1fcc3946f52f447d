"""Videos and windows by what visitors know of them: an id, and seconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from centerclip.index import StoredVideo, StoredWindow
from centerclip.serve.problems import Problem
from centerclip.serve.services import Services

__all__ = ["VideoId", "open_video", "window_at"]

VideoId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


def window_at(services: Services, video_id: str, seconds: float) -> StoredWindow:
    """The window of a video that an instant lies in; the last one for what lies behind the end.

    Raises:
        Problem: the index has no such video (404).
    """
    windows = services.index.windows(video_id)
    if not windows:
        raise _unknown(video_id)
    inside = [window for window in windows if window.window.start_seconds <= seconds + 1e-6]
    return inside[-1] if inside else windows[0]


def open_video(services: Services, video_id: str) -> StoredVideo:
    """The file of a video, which is still what was indexed.

    Raises:
        Problem: the index has no such video (404).
        GoneError: the file was moved, deleted or changed.
    """
    video = services.library.open(video_id)
    if video is None:
        raise _unknown(video_id)
    return video


def _unknown(video_id: str) -> Problem:
    return Problem(404, f"the index has no video {video_id}: take the id from a hit")
