"""Subtitles as files have them: which files belong to a video, and the cues they hold.

It reads bytes and text only, and knows neither videos nor the index.
"""

from centerclip.subtitles.languages import language_of
from centerclip.subtitles.parsing import parse_subtitles
from centerclip.subtitles.sidecars import SUBTITLE_SUFFIXES, Sidecar, find_sidecars
from centerclip.subtitles.webvtt import write_webvtt

__all__ = [
    "SUBTITLE_SUFFIXES",
    "Sidecar",
    "find_sidecars",
    "language_of",
    "parse_subtitles",
    "write_webvtt",
]
