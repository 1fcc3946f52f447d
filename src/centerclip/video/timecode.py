"""SMPTE timecode: hours, minutes, seconds and frames, with or without dropped numbers."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["STANDARD_RATES", "Timecode", "nearest_rate"]

STANDARD_RATES = tuple(
    Fraction(whole * 1000, 1001) if drop else Fraction(whole)
    for whole in (24, 25, 30, 48, 50, 60, 100, 120)
    for drop in ((True, False) if whole % 30 == 0 or whole % 24 == 0 else (False,))
)
"""Frames per second that cameras and editing programs use."""

_WRITTEN = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.,])(\d\d?\d?)")


class Timecode:
    """A frame's number as a clock.

    Args:
        frames: number of frames since 00:00:00:00; not negative.
        rate: frames per second.
        drop: whether numbers are dropped, so that 29.97 or 59.94 frames per second keep up with a clock;
            ignored for other rates.
    """

    def __init__(self, frames: int, rate: Fraction, *, drop: bool = False) -> None:
        self.frames = frames
        self.rate = rate
        self.drop = drop and can_drop(rate)

    @classmethod
    def parse(cls, text: str, rate: Fraction) -> Timecode:
        """Read `01:00:00:00`; a semicolon, comma or dot before the frames means dropped numbers.

        Raises:
            ValueError: it isn't a timecode, or has a frame that this rate doesn't have.
        """
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} isn't a timecode: write it like 01:00:00:00")
        hours, minutes, seconds, frames = (int(match[place]) for place in (1, 2, 3, 5))
        whole = round(rate)
        if minutes > 59 or seconds > 59 or frames >= whole:
            raise ValueError(f"{text!r} isn't a timecode of {float(rate):.3f} frames per second")
        made = cls(0, rate, drop=match[4] != ":")
        number = (hours * 3600 + minutes * 60 + seconds) * whole + frames
        if made.drop:
            passed = hours * 60 + minutes
            number -= _dropped(whole) * (passed - passed // 10)
        return cls(max(0, number), rate, drop=made.drop)

    def __str__(self) -> str:
        whole, number = round(self.rate), self.frames
        if self.drop:
            # Each minute but every tenth has no frames with the first two (or four) numbers.
            lost, minute = _dropped(whole), 60 * whole - _dropped(whole)
            tens, rest = divmod(number, 10 * minute + lost)
            number += 9 * lost * tens + lost * max(0, (rest - lost) // minute)
        seconds, frames = divmod(number, whole)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        width = 3 if whole > 100 else 2
        return f"{hours % 24:02d}:{minutes:02d}:{seconds:02d}{';' if self.drop else ':'}{frames:0{width}d}"

    def __add__(self, frames: int) -> Timecode:
        return Timecode(self.frames + frames, self.rate, drop=self.drop)


def can_drop(rate: Fraction) -> bool:
    """Whether timecode of this rate can drop numbers: 29.97 and its multiples."""
    return rate.denominator == 1001 and round(rate) % 30 == 0


def nearest_rate(rate: float, tolerance: float = 2e-4) -> Fraction:
    """Return the standard rate within a relative tolerance, or else the rate itself as a fraction."""
    best = min(STANDARD_RATES, key=lambda known: abs(float(known) - rate))
    if abs(float(best) - rate) <= tolerance * rate:
        return best
    return Fraction(rate).limit_denominator(1001)


def _dropped(whole: int) -> int:
    return whole // 15
