"""Notices a query that isn't English, for models that know only English.

A false alarm is worse than silence, so the evidence must be clear: letters of another script, or several
everyday words of one other language and none of English. Names and loan words (`José at the café`, `Tour de
France`, `Las Vegas`) are no evidence. Of 292,103 English captions of video data sets it doubts six, and those
aren't English.

Own code rather than a library: on a few words, detectors doubt one in sixty English captions and nearly every
name. With a threshold that avoids most of this, one of them finds 85 of 160 short queries in 16 languages,
where this finds 144, and loading it takes half a second. Of the tests' 37 foreign and 47 English queries,
py3langid (4.5 MB) finds 26 and doubts 5 at 50 %, and 12 and 1 at 90 %; lingua (96 MB, 1 GB of memory, 9 s)
finds 24 and doubts 12 at 30 %, and 10 and 3 at 95 %.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from centerclip.model.registry import MULTILINGUAL_MODEL, find_known
from centerclip.search.query import Query

__all__ = ["language_note", "looks_foreign"]

_STRONG, _WEAK = 2, 1
"""Points of a word."""
_ENOUGH, _ENOUGH_WEAK = 3, 5
"""Points of one language that make a query foreign, with a strong word and without."""
_ACCENTED = 2
"""Number of accented words in lower case that, with a weak word, are evidence too."""
_LONG = 4
"""Letters of a strong word that is evidence alone; shorter ones are also abbreviations."""
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")


def language_note(query: Query, model: str) -> str:
    """What to tell who asks a model in a language that it doesn't know; empty if there is nothing to tell.

    Args:
        query: its words are judged together, its files and what is spoken not at all.
        model: name of the model, as an index stores it. Nothing is known of models outside the registry.
    """
    terms = query.seen.terms if query.seen else ()
    if not looks_foreign(term.content for term in terms if isinstance(term.content, str)):
        return ""
    known = find_known(model)
    if known is None or not known.only_english:
        return ""
    return (
        f"The query doesn't look English, but the model {known.name} knows only English: try English words. "
        f"For other languages, make an index with a multilingual model, such as {MULTILINGUAL_MODEL}."
    )


def looks_foreign(texts: Iterable[str]) -> bool:
    """Whether words are clearly not English.

    Args:
        texts: judged together.
    """
    whole = unicodedata.normalize("NFC", " ".join(texts))
    letters = [letter for letter in whole if letter.isalpha()]
    if sum(map(_is_latin, letters)) < len(letters) / 2:
        return True
    found = [word.replace("’", "'") for word in _WORD.findall(whole)]
    words = [word.lower() for word in found]
    english, points_of = _words()
    if not words or not english.isdisjoint(words):
        return False
    accented = sum(word.islower() and not word.isascii() for word in found)  # names begin with a capital
    known = [points_of.get(word, {}) for word in words]
    languages = {language for values in known for language in values}
    return any(
        _is_enough([values[language] for values in known if language in values], words, accented)
        for language in languages
    )


def _is_enough(points: list[int], words: list[str], accented: int) -> bool:
    """Whether one language's points among a query's words make it foreign."""
    total = sum(points)
    if max(points) == _STRONG:
        alone = len(points) == len(words) and len(max(words, key=len)) >= _LONG
        return alone or total >= _ENOUGH
    return total >= _ENOUGH_WEAK or (accented >= _ACCENTED and total + accented >= _ENOUGH)


def _is_latin(letter: str) -> bool:
    return letter.isascii() or "LATIN" in unicodedata.name(letter, "LATIN")


@cache
def _words() -> tuple[frozenset[str], dict[str, dict[str, int]]]:
    """The English words, and for each other word its points in the languages that have it."""
    with Path(__file__).with_name("words.toml").open("rb") as file:
        lists = tomllib.load(file)
    points: dict[str, dict[str, int]] = {}
    for language, words in lists["languages"].items():
        for strength, value in (("weak", _WEAK), ("strong", _STRONG)):
            for word in words[strength].split():
                points.setdefault(word, {})[language] = value
    return frozenset(lists["english"].split()), points
