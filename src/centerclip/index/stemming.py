"""The languages in which the store recognizes the forms of a word."""

from __future__ import annotations

__all__ = ["UNSPACED", "stemmer_of"]

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


def stemmer_of(language: str) -> str:
    """Return the store's name of a language; English for one that it doesn't stem."""
    return _STEMMERS.get(language, "English")
