"""Decode everything from the start, as a player does: slow, but right for every file."""

from __future__ import annotations

from av.video.frame import VideoFrame

from centerclip.errors import VideoError
from centerclip.video.frames import FrameStream
from centerclip.video.timeline import TOLERANCE_SECONDS, Timeline

__all__ = ["Playback"]


class Playback:
    """All frames in display order, each with its time; ascending instants take a single pass.

    Args:
        stream: is rewound; nobody else may read it from now on.
        timeline: converts timestamps to seconds.

    Raises:
        VideoError: the file no longer has any frame.
    """

    def __init__(self, stream: FrameStream, timeline: Timeline) -> None:
        self._stream = stream
        self._timeline = timeline
        self._given = 0
        self._current: tuple[float, VideoFrame]
        self._upcoming: tuple[float, VideoFrame] | None
        self._rewind()

    def at(self, seconds: float) -> tuple[float, VideoFrame]:
        """Return the frame shown at an instant and its time; before the first frame, the first."""
        if seconds < self._current[0]:
            self._rewind()
        while self._upcoming is not None and self._upcoming[0] <= seconds + TOLERANCE_SECONDS:
            self._current, self._upcoming = self._upcoming, self._read(self._upcoming[0])
        return self._current

    def _rewind(self) -> None:
        self._stream.rewind()
        self._given = 0
        first = self._read(0.0)
        if first is None:
            raise VideoError(f"{self._stream.path}: changed while it was being read; try again")
        self._current, self._upcoming = first, self._read(first[0])

    def _read(self, before: float) -> tuple[float, VideoFrame] | None:
        """Decode a frame and determine its time, which is never before the previous frame's."""
        frame = self._stream.next()
        if frame is None:
            return None
        if self._timeline.origin is None and self._given < len(self._timeline.seconds):
            time = float(self._timeline.seconds[self._given])
        elif self._timeline.origin is None or frame.pts is None:
            time = before + 1 / self._timeline.rate
        else:
            time = self._timeline.time_of(frame.pts)
        self._given += 1
        return max(before, time), frame
