"""When each frame of a file is shown, told from its packets alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from centerclip.video.packets import NO_PTS, PacketIndex

__all__ = ["TOLERANCE_SECONDS", "Timeline"]

TOLERANCE_SECONDS = 1e-6
"""An instant this little before a frame is taken to be at it, as sums of floats seldom meet exactly."""

_MAX_SECONDS = 7 * 86_400
"""Longer than any film or day of surveillance; timestamps that say more are damaged."""

_MAX_RATE = 1000.0
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
    """Timestamp of the first frame. None where frames have to be told apart by their order instead: the
    n-th that the decoder gives is shown at `seconds[n]`."""
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
        if not 0 < nominal <= _MAX_RATE:
            nominal = _DEFAULT_RATE
        packets = np.flatnonzero(index.shown)
        if first_pts is None or not _timed(index.pts[packets], tick):
            seconds = np.arange(max(1, len(packets))) / nominal
            return cls(seconds, packets, float(seconds[-1] + 1 / nominal), nominal, None, tick, False)
        by_order = _made_up(index.pts[packets], stream)
        origin = int(index.pts[packets].min()) if by_order else first_pts
        packets = packets[index.pts[packets] >= origin]
        packets = packets[np.argsort(index.pts[packets], kind="stable")]
        seconds = (index.pts[packets] - origin) * tick.numerator / tick.denominator
        gaps = np.diff(seconds)
        last = float(index.last_duration * tick)
        if not 0 < last <= _MAX_SECONDS:
            last = float(np.median(gaps)) if len(gaps) and np.median(gaps) > 0 else 1 / nominal
        duration = float(seconds[-1]) + last
        exact = not by_order and bool((gaps > 0).all())
        return cls(
            seconds, packets, duration, len(seconds) / duration, None if by_order else origin, tick, exact
        )

    def time_of(self, pts: int) -> float:
        """Seconds from the first frame of a timestamp, computed as `seconds` is. Only with an origin."""
        assert self.origin is not None
        return (pts - self.origin) * self.tick.numerator / self.tick.denominator

    def frames_at(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Number of the frame that is shown at each instant: the last one not after it, or the first."""
        return np.maximum(np.searchsorted(self.seconds, seconds + TOLERANCE_SECONDS, side="right") - 1, 0)

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


def _timed(pts: NDArray[np.int64], tick: Fraction) -> bool:
    """Whether there is a timestamp for every packet, and sense in them."""
    if not len(pts) or tick <= 0 or NO_PTS in pts:
        return False
    return (int(pts.max()) - int(pts.min())) * tick <= _MAX_SECONDS


def _made_up(pts: NDArray[np.int64], stream: VideoStream) -> bool:
    """Whether FFmpeg made the timestamps up from the packets' order, though frames are shown in another.

    AVI has none of its own; with B-frames, which are not stored in the order in which they are shown,
    the right timestamps land on the wrong frames.
    """
    reorders = bool(stream.codec_context.has_b_frames) and bool((np.diff(pts) > 0).all())
    return reorders and stream.container.format.name == "avi"
