"""Languages, as names of files and streams state them."""

from __future__ import annotations

import re

__all__ = ["language_of"]

_OTHER_NAMES = {
    "ar": "arabic ara",
    "cs": "cze ces czech",
    "da": "danish dan",
    "de": "german ger deu deutsch",
    "el": "greek gre ell",
    "en": "english eng",
    "es": "spanish spa español espanol",
    "fi": "finnish fin",
    "fr": "french fre fra français francais",
    "he": "heb hebrew",
    "hi": "hin hindi",
    "hu": "hungarian hun",
    "id": "ind indonesian",
    "it": "italian ita italiano",
    "ja": "jpn japanese",
    "ko": "kor korean",
    "nl": "dutch dut nld nederlands",
    "no": "norwegian nor nob nno nb nn",
    "pl": "pol polish",
    "pt": "portuguese por português portugues",
    "ro": "romanian rum ron",
    "ru": "russian rus",
    "sv": "swedish swe svenska",
    "ta": "tamil tam",
    "th": "tha thai",
    "tr": "turkish tur",
    "uk": "ukr ukrainian",
    "vi": "vie vietnamese",
    "zh": "chi zho chinese chs cht",
}
"""Codes of ISO 639-2, and names, of the languages in which most subtitles are."""
_NAMES = {name: code for code, names in _OTHER_NAMES.items() for name in names.split()}
_CODE = re.compile(r"[a-z]{2,3}")
_NO_LANGUAGE = frozenset({"", "und", "mul", "mis", "zxx", "cc", "sdh", "hi"})
"""Also what names of files say about other things: captions, for the hard of hearing."""


def language_of(text: str) -> str:
    """Return the code of the language that a tag or a name means (`eng`, `English`, `en-US`: `en`).

    "" if it means none; an unknown code of two or three letters as it is.
    """
    first = re.split(r"[-_]", text.strip().lower(), maxsplit=1)[0]
    if first in _NAMES:
        return _NAMES[first]
    return first if first not in _NO_LANGUAGE and _CODE.fullmatch(first) else ""
