"""When each frame of a file is shown, told from its packets alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from centerclip.video.packets import NO_PTS, PacketIndex

__all__ = ["Timeline"]

_MAX_SECONDS = 7 * 86_400.0
"""Longer than any film or day of surveillance; timestamps that say more are damaged."""

_DEFAULT_RATE = 25.0
_EARLY = 0.9
"""A key frame that comes before this part of the regular interval stands at a scene cut. A tenth is left
for encoders whose interval varies by a frame or two."""


@dataclass(frozen=True)
class Timeline:
    """The frames of a file in the order in which they are shown; F of them."""

    seconds: NDArray[np.float64]
    """[F] when each is shown, from the first frame on, ascending."""
    packets: NDArray[np.int64]
    """[F] the packet that each comes from."""
    duration_seconds: float
    """Until the last frame ends; above zero."""
    rate: float
    """Frames a second, on average."""
    origin: int | None
    """Timestamp of the first frame; None where timestamps are missing or absurd, and frame n is taken to
    stand at n / `rate`."""
    tick: Fraction
    """Seconds a unit of timestamp."""
    exact: bool
    """Whether every frame has a timestamp of its own, so that packets tell frames apart."""

    @classmethod
    def of(cls, index: PacketIndex, stream: VideoStream, first_pts: int | None) -> Timeline:
        """Lay out the frames of a stream.

        Args:
            index: its packets.
            stream: the stream itself, asked for its units and its nominal rate.
            first_pts: timestamp of the first frame that the decoder gave.
        """
        tick = stream.time_base or Fraction(0)
        nominal = float(stream.average_rate or stream.guessed_rate or 0)
        if not 0 < nominal <= 1000:
            nominal = _DEFAULT_RATE
        packets = np.flatnonzero(index.shown)
        pts = index.pts[packets]
        timed = first_pts is not None and tick > 0 and NO_PTS not in pts
        if timed and float(pts.max() - pts.min()) * tick > _MAX_SECONDS:
            timed = False
        if not timed or first_pts is None:
            seconds = np.arange(max(1, len(packets))) / nominal
            packets = packets if len(packets) else np.zeros(1, np.int64)
            return cls(seconds, packets, float(seconds[-1] + 1 / nominal), nominal, None, tick, False)
        packets, pts = packets[pts >= first_pts], pts[pts >= first_pts]
        order = np.argsort(pts, kind="stable")
        packets, pts = packets[order], pts[order]
        seconds = (pts - first_pts) * tick.numerator / tick.denominator
        gaps = np.diff(seconds)
        last = float(index.last_duration * tick)
        if not 0 < last <= _MAX_SECONDS:
            last = float(np.median(gaps)) if len(gaps) and np.median(gaps) > 0 else 1 / nominal
        duration = float(seconds[-1]) + last
        exact = bool((gaps > 0).all())
        return cls(seconds, packets, duration, len(seconds) / duration, first_pts, tick, exact)

    def time_of(self, pts: int) -> float:
        """Seconds from the first frame of a timestamp, computed as `seconds` is. Only with an origin."""
        assert self.origin is not None
        return (pts - self.origin) * self.tick.numerator / self.tick.denominator

    def frames_at(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Number of the frame that is shown at each instant: the last one not after it, or the first."""
        return np.maximum(np.searchsorted(self.seconds, seconds, side="right") - 1, 0)

    def scene_cuts(self, keys: NDArray[np.int64]) -> list[float]:
        """Guess scene cuts from where the encoder put key frames.

        An encoder puts one at a regular interval, and one more wherever the picture changes altogether.
        The longest run of frames between two keys is taken for the interval; a key that ends a run of
        less than 0.9 of it came early.

        Args:
            keys: packet numbers of the key frames.

        Returns:
            Seconds from the first frame, ascending.
        """
        places = np.flatnonzero(np.isin(self.packets, keys))
        runs = np.diff(places)
        if not len(runs):
            return []
        cuts: list[float] = self.seconds[places[1:][runs < _EARLY * runs.max()]].tolist()
        return cuts
