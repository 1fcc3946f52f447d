"""When each frame of a file is shown, determined from its packets alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from centerclip.video.packet_index import NO_PTS, PacketIndex

__all__ = ["MAX_GAP_SECONDS", "MAX_SECONDS", "TOLERANCE_SECONDS", "Timeline", "early_keys"]

TOLERANCE_SECONDS = 1e-6
"""An instant this shortly before a frame counts as the frame's, because sums of floats rarely match
exactly."""

# Longer is damage: the time a single frame is shown, and the duration of the file.
MAX_GAP_SECONDS = 3600
MAX_SECONDS = 7 * 86_400

_MAX_DISPLACEMENT = 32
"""How far a frame's display position may be from its file position. H.264 and HEVC reorder at most 16 frames
of up to two packets; more means a damaged timestamp or concatenated files."""

_TENTH = 0.1
"""How much an encoder's regular key frame interval may vary."""


@dataclass(frozen=True)
class Timeline:
    """A file's frames in display order; F of them, at least one."""

    seconds: NDArray[np.float64]
    """[F] when each frame appears, counted from the first, ascending."""
    packets: NDArray[np.int64]
    """[F] each frame's packet."""
    duration_seconds: float
    """When the last frame ends; above zero."""
    origin: int | None
    """Timestamp of the first frame. None if frames are identified by their order instead: the n-th decoded
    frame appears at `seconds[n]`."""
    tick: Fraction
    """Seconds per unit of timestamp."""

    @classmethod
    def of(
        cls, index: PacketIndex, *, tick: Fraction, rate: float, first_pts: int | None, ordered: bool = False
    ) -> Timeline:
        """Lay out the frames of a stream.

        If timestamps are missing or implausible, frame n appears at n / `rate`.

        Args:
            index: the stream's packets.
            tick: its time base, in seconds.
            rate: frames per second according to the file, where timestamps don't say.
            first_pts: timestamp of the first decoded frame.
            ordered: the timestamps are right as a set, but attached to the wrong frames.
        """
        packets = np.flatnonzero(index.shown)
        if first_pts is None or not _are_plausible(index.pts[packets], tick):
            seconds = np.arange(max(1, len(packets))) / rate
            return cls(seconds, packets, float(seconds[-1]) + 1 / rate, None, tick)
        origin = int(index.pts[packets].min()) if ordered else first_pts
        # Drop frames that can't be decoded because the file begins within a group of pictures.
        packets = packets[index.pts[packets] >= origin]
        packets = packets[np.argsort(index.pts[packets], kind="stable")]
        if index.origin is not None:
            origin = index.origin
        seconds = (index.pts[packets] - origin) * tick.numerator / tick.denominator
        last = float(index.last_duration * tick)
        if not 0 < last <= MAX_GAP_SECONDS:
            last = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
        duration = float(seconds[-1]) + (last or 1 / rate)
        return cls(seconds, packets, duration, None if ordered else origin, tick)

    @property
    def rate(self) -> float:
        """Frames per second, on average."""
        return len(self.seconds) / self.duration_seconds

    @property
    def exact(self) -> bool:
        """Whether every frame has its own timestamp, so that packets identify frames."""
        return self.origin is not None and bool((np.diff(self.seconds) > 0).all())

    def time_of(self, pts: int) -> float:
        """Convert a timestamp to seconds from the first frame, exactly as in `seconds`; 0 without an
        origin."""
        origin = pts if self.origin is None else self.origin
        return (pts - origin) * self.tick.numerator / self.tick.denominator

    def frames_at(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Number of the frame shown at each instant; before the first frame, the first."""
        return np.maximum(np.searchsorted(self.seconds, seconds + TOLERANCE_SECONDS, side="right") - 1, 0)

    def times(self, start: float, end: float) -> NDArray[np.float64]:
        """Return when each frame shown between two instants appears.

        Args:
            start, end: seconds from the first frame, start < end.

        Returns:
            [F + 1] seconds, F >= 1, ascending: those of F frames, the first of which is shown at `start`, and
            when the last of them disappears.
        """
        seconds = np.unique(self.seconds)
        first = max(0, int(np.searchsorted(seconds, start + TOLERANCE_SECONDS, side="right")) - 1)
        last = max(first + 1, int(np.searchsorted(seconds, end - TOLERANCE_SECONDS)))
        after = seconds[last] if last < len(seconds) else self.duration_seconds
        return np.append(seconds[first:last], after)

    def scene_cuts(self, keys: NDArray[np.int64]) -> list[float]:
        """Guess scene cuts, in seconds from the first frame, from the packet numbers of the key frames.

        Encoders insert a key frame at a regular interval, and wherever the picture changes completely. The
        interval is the median distance between key frames if half the distances are within a tenth of it,
        otherwise the longest distance. A key frame more than a tenth early marks a cut.
        """
        places = np.flatnonzero(np.isin(self.packets, keys))
        cuts: list[float] = self.seconds[early_keys(places)].tolist()
        return cuts


def early_keys(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which of the frames that are keys come earlier than usual; see `Timeline.scene_cuts`."""
    runs = np.diff(places)
    if not len(runs):
        return places[:0]
    median = np.median(runs)
    regular = np.abs(runs - median) <= _TENTH * median
    interval = median if 2 * regular.sum() >= len(runs) else runs.max()
    early: NDArray[np.int64] = places[1:][runs < (1 - _TENTH) * interval]
    return early


def _are_plausible(pts: NDArray[np.int64], tick: Fraction) -> bool:
    """Whether each packet has a timestamp, and none is implausibly far from its neighbors."""
    if not len(pts) or tick <= 0 or NO_PTS in pts:
        return False
    order = np.argsort(pts, kind="stable")
    if np.abs(order - np.arange(len(pts))).max() > _MAX_DISPLACEMENT:
        return False
    if (int(pts[order[-1]]) - int(pts[order[0]])) * tick > MAX_SECONDS:
        return False
    return len(pts) == 1 or int(np.diff(pts[order]).max()) * tick <= MAX_GAP_SECONDS
