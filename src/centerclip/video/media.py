"""What an editing program has to know of a file: its frame rate, start timecode, reel and sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from centerclip.video.timecode import Timecode

__all__ = ["Media", "SoundTrack"]


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """A sound track: its number of channels, and samples per second."""

    channels: int
    rate: int


@dataclass(frozen=True, slots=True)
class Media:
    """What an editing program has to know of a file.

    Attributes:
        rate: frames per second; of a variable rate, the standard rate nearest to what the file says.
        constant: whether the frames follow each other at this rate.
        frames: the file's length in frames of this rate.
        duration_seconds: from the first frame's start to the last one's end.
        width, height: of the upright picture, in pixels.
        aspect: width of a stored pixel per height.
        timecode: of the first frame; None if the file has none.
        reel: the name of the tape, card or file that a camera noted; "" if there is none.
        sounds: the sound tracks.
        recorded: when the recording began, as the container writes it; "" if it doesn't.
    """

    rate: Fraction
    constant: bool
    frames: int
    duration_seconds: float
    width: int
    height: int
    aspect: Fraction
    timecode: Timecode | None
    reel: str
    sounds: tuple[SoundTrack, ...]
    recorded: str

    def frame_at(self, seconds: float) -> int:
        """Number of the frame shown at an instant, 0-based; the last one at the file's end or later."""
        return min(int(seconds * self.rate + 1e-6), self.frames - 1)

    def to_message(self) -> dict[str, Any]:
        """Write it for another process; see `from_message`."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {
            "rate": str(self.rate),
            "aspect": str(self.aspect),
            "timecode": None if self.timecode is None else str(self.timecode),
            "sounds": [(track.channels, track.rate) for track in self.sounds],
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Media:
        rate = Fraction(message["rate"])
        start = message["timecode"]
        return cls(
            rate=rate,
            constant=bool(message["constant"]),
            frames=int(message["frames"]),
            duration_seconds=float(message["duration_seconds"]),
            width=int(message["width"]),
            height=int(message["height"]),
            aspect=Fraction(message["aspect"]),
            timecode=None if start is None else Timecode.parse(str(start), rate),
            reel=str(message["reel"]),
            sounds=tuple(SoundTrack(int(channels), int(rate)) for channels, rate in message["sounds"]),
            recorded=str(message["recorded"]),
        )
