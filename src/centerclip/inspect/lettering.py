"""Text in pictures, by the font that Pillow brings along."""

from __future__ import annotations

from functools import cache

from PIL import ImageFont

__all__ = ["Font", "fit", "font", "font_for"]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_BROAD = ("DejaVuSans.ttf", "Arial Unicode.ttf", "Arial.ttf")
"""Fonts that most systems have, with far more letters than Pillow's own."""


@cache
def font(size: int) -> Font:
    """The font of all words of ours."""
    return ImageFont.load_default(size)


def font_for(text: str, size: int) -> Font:
    """A font for words of others, such as the names of files: one of the system's, where ours lacks letters.

    What no font has is drawn as the font's sign for a missing letter.
    """
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
    """Cut text off that is wider than `width` pixels, in the middle, for both ends tell files apart."""
    if own.getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 2 and own.getlength(_shortened(text, kept)) > width:
        kept -= 1
    return _shortened(text, kept)


def _shortened(text: str, kept: int) -> str:
    return f"{text[: kept - kept // 2]}...{text[-(kept // 2) :]}"


def _has(own: Font, letter: str) -> bool:
    return letter == " " or bytes(own.getmask(letter)) != bytes(own.getmask("\uffff"))
