"""When each frame of a file is shown, told from its packets alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from centerclip.video.packets import NO_PTS, PacketIndex

__all__ = ["TOLERANCE_SECONDS", "Timeline"]

TOLERANCE_SECONDS = 1e-6
"""An instant this little before a frame is taken to be at it, as sums of floats seldom meet exactly."""

# Timestamps beyond these are damaged: one frame's time on the screen, and that of the whole file.
_MAX_GAP_SECONDS = 3600
_MAX_SECONDS = 7 * 86_400

_MAX_DISPLACEMENT = 32
"""How many places a frame may be shown away from where it stands in the file. H.264 and HEVC reorder at
most 16 frames, which may be two packets each; more is a damaged timestamp, or files strung together."""

_TENTH = 0.1
"""How much an encoder's regular interval between key frames varies at most."""


@dataclass(frozen=True)
class Timeline:
    """The frames of a file in the order in which they are shown; F of them, at least one."""

    seconds: NDArray[np.float64]
    """[F] when each is shown, from the first frame on, ascending."""
    packets: NDArray[np.int64]
    """[F] the packet that each comes from."""
    duration_seconds: float
    """Until the last frame ends; above zero."""
    origin: int | None
    """Timestamp of the first frame. None where frames have to be told apart by their order instead: the
    n-th that the decoder gives is shown at `seconds[n]`."""
    tick: Fraction
    """Seconds a unit of timestamp."""

    @classmethod
    def of(
        cls, index: PacketIndex, *, tick: Fraction, rate: float, first_pts: int | None, ordered: bool = False
    ) -> Timeline:
        """Lay out the frames of a stream.

        Where timestamps are missing or make no sense, frame n is taken to stand at n / `rate`.

        Args:
            index: the stream's packets.
            tick: its time base, in seconds.
            rate: frames a second as the file states it, for what timestamps don't tell.
            first_pts: timestamp of the first frame that the decoder gave.
            ordered: the timestamps are right as a set, but not each at the right frame.
        """
        packets = np.flatnonzero(index.shown)
        if first_pts is None or not _make_sense(index.pts[packets], tick):
            seconds = np.arange(max(1, len(packets))) / rate
            return cls(seconds, packets, float(seconds[-1]) + 1 / rate, None, tick)
        origin = int(index.pts[packets].min()) if ordered else first_pts
        # Without what the decoder can't show because the file begins in the middle of a group.
        packets = packets[index.pts[packets] >= origin]
        packets = packets[np.argsort(index.pts[packets], kind="stable")]
        seconds = (index.pts[packets] - origin) * tick.numerator / tick.denominator
        last = float(index.last_duration * tick)
        if not 0 < last <= _MAX_GAP_SECONDS:
            last = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
        duration = float(seconds[-1]) + (last or 1 / rate)
        return cls(seconds, packets, duration, None if ordered else origin, tick)

    @property
    def rate(self) -> float:
        """Frames a second, on average."""
        return len(self.seconds) / self.duration_seconds

    @property
    def exact(self) -> bool:
        """Whether every frame has a timestamp of its own, so that packets tell frames apart."""
        return self.origin is not None and bool((np.diff(self.seconds) > 0).all())

    def time_of(self, pts: int) -> float:
        """Seconds from the first frame of a timestamp, computed as `seconds` is; 0 without an origin."""
        return (
            0.0 if self.origin is None else (pts - self.origin) * self.tick.numerator / self.tick.denominator
        )

    def frames_at(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Number of the frame that is shown at each instant: the last one not after it, or the first."""
        return np.maximum(np.searchsorted(self.seconds, seconds + TOLERANCE_SECONDS, side="right") - 1, 0)

    def scene_cuts(self, keys: NDArray[np.int64]) -> list[float]:
        """Guess scene cuts from where the encoder put key frames.

        An encoder puts one at a regular interval, and one more wherever the picture changes altogether.
        The interval is the median run of frames from key to key if half the runs keep to it within a
        tenth, otherwise the longest run. A key that comes more than a tenth early stands at a cut.

        Args:
            keys: packet numbers of the key frames.

        Returns:
            Seconds from the first frame, ascending.
        """
        places = np.flatnonzero(np.isin(self.packets, keys))
        runs = np.diff(places)
        if not len(runs):
            return []
        median = np.median(runs)
        regular = np.abs(runs - median) <= _TENTH * median
        interval = median if 2 * regular.sum() >= len(runs) else runs.max()
        cuts: list[float] = self.seconds[places[1:][runs < (1 - _TENTH) * interval]].tolist()
        return cuts


def _make_sense(pts: NDArray[np.int64], tick: Fraction) -> bool:
    """Whether each packet has a timestamp, and none stands absurdly far from its neighbors."""
    if not len(pts) or tick <= 0 or NO_PTS in pts:
        return False
    order = np.argsort(pts, kind="stable")
    if np.abs(order - np.arange(len(pts))).max() > _MAX_DISPLACEMENT:
        return False
    if (int(pts[order[-1]]) - int(pts[order[0]])) * tick > _MAX_SECONDS:
        return False
    return len(pts) == 1 or int(np.diff(pts[order]).max()) * tick <= _MAX_GAP_SECONDS
