"""Fonts for text in pictures."""

from __future__ import annotations

from functools import cache

from PIL import ImageFont

__all__ = ["Font", "fit", "font", "font_for"]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_BROAD = ("DejaVuSans.ttf", "Arial Unicode.ttf", "Arial.ttf")
"""Fonts of common systems, with far more letters than Pillow's own."""


@cache
def font(size: int) -> Font:
    """Return Pillow's own font."""
    return ImageFont.load_default(size)


def font_for(text: str, size: int) -> Font:
    """Return Pillow's own font, or one of the system's if it lacks letters of `text`, such as a file name."""
    own = font(size)
    if all(_has(own, letter) for letter in set(text)):
        return own
    for name in _BROAD:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return own


def fit(text: str, width: float, own: Font) -> str:
    """Shorten text to `width` pixels in the middle, because both ends of a file name are important."""
    shortened, kept = text, len(text)
    while kept > 2 and own.getlength(shortened) > width:
        kept -= 1
        shortened = f"{text[: kept - kept // 2]}...{text[-(kept // 2) :]}"
    return shortened


def _has(own: Font, letter: str) -> bool:
    return letter == " " or bytes(own.getmask(letter)) != bytes(own.getmask("\uffff"))
