"""Names of languages: as files and streams state them, and as the full-text index names its stemmers."""

from __future__ import annotations

import re

__all__ = ["UNSPACED", "language_of", "stemmer_of"]

_STEMMERS = {
    "ar": "Arabic",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "hu": "Hungarian",
    "it": "Italian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "ta": "Tamil",
    "tr": "Turkish",
}
"""The languages that the store can stem."""
UNSPACED = frozenset({"ja", "km", "lo", "my", "th", "zh"})
"""Languages that don't put spaces between words."""

# ISO 639-2 and names, where they don't begin with the code of ISO 639-1.
_NAMES = {
    **{name.lower(): code for code, name in _STEMMERS.items()},
    **dict.fromkeys(("ara",), "ar"),
    **dict.fromkeys(("ger", "deu", "deutsch"), "de"),
    **dict.fromkeys(("gre", "ell"), "el"),
    "eng": "en",
    **dict.fromkeys(("spa", "español", "espanol"), "es"),
    "fin": "fi",
    **dict.fromkeys(("fre", "fra", "français", "francais"), "fr"),
    "hun": "hu",
    **dict.fromkeys(("ita", "italiano"), "it"),
    **dict.fromkeys(("dut", "nld", "nederlands"), "nl"),
    **dict.fromkeys(("nor", "nob", "nno", "nb", "nn"), "no"),
    **dict.fromkeys(("por", "português", "portugues"), "pt"),
    **dict.fromkeys(("rum", "ron"), "ro"),
    "rus": "ru",
    **dict.fromkeys(("swe", "svenska"), "sv"),
    "tam": "ta",
    "tur": "tr",
    "dan": "da",
    **dict.fromkeys(("jpn", "japanese"), "ja"),
    **dict.fromkeys(("kor", "korean"), "ko"),
    **dict.fromkeys(("chi", "zho", "chinese", "chs", "cht"), "zh"),
    **dict.fromkeys(("tha", "thai"), "th"),
    **dict.fromkeys(("pol", "polish"), "pl"),
    **dict.fromkeys(("cze", "ces", "czech"), "cs"),
    **dict.fromkeys(("ukr", "ukrainian"), "uk"),
    **dict.fromkeys(("hin", "hindi"), "hi"),
    **dict.fromkeys(("heb", "hebrew"), "he"),
    **dict.fromkeys(("vie", "vietnamese"), "vi"),
    **dict.fromkeys(("ind", "indonesian"), "id"),
}
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


def stemmer_of(language: str) -> str:
    """Return the store's name of a language; English for one that it doesn't stem."""
    return _STEMMERS.get(language, "English")
