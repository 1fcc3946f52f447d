"""Finds the same footage in several videos of an index: copies, re-encodings, excerpts, overlaps.

It reads the index alone: neither models nor files are opened. Names are imported on first use.
"""

from typing import TYPE_CHECKING

from centerclip.lazy import lazy_names

if TYPE_CHECKING:
    from centerclip.duplicates.finding import Duplicates, find_duplicates
    from centerclip.duplicates.pairs import KINDS, Pair, Span

__all__ = ["KINDS", "Duplicates", "Pair", "Span", "find_duplicates"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "centerclip.duplicates.finding": ("Duplicates", "find_duplicates"),
        "centerclip.duplicates.pairs": ("KINDS", "Pair", "Span"),
    },
)
