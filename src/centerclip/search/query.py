"""The query language: words and files, added and subtracted.

    query     = [sign] term { " " sign " " term }      sign = "+" | "-"
    term      = [weight ":"] [sense ":"] ( quoted | file | words )
    sense     = "seen" | "spoken"                      by default both: pictures, and words that are said
    weight    = a positive decimal number, by default 1; not before a digit (10:30 is a time)
    quoted    = '"' anything but '"' '"'               one term, even if it contains signs

A sign between terms needs spaces around it, so `black-and-white` and `C++` are words; before the first term
it doesn't (`-people`). A term is a file if it begins with `./`, `../`, `/` or `~` (then it must exist), or if
it isn't quoted, has a folder or a suffix (`holiday/beach.jpg`, `beach.jpg`) and exists. Everything else is
words. Words after `spoken:` are looked for only in what is said, after `seen:` only in pictures; a file is
always seen. A query that as a whole is the name of such a file is that file, even with a sign in it (`Band -
Song.mp4`). A query of negative terms alone finds what is least like them.
"""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeAlias

from centerclip.errors import QueryError

__all__ = ["Query", "Term", "parse_query"]

Sense: TypeAlias = Literal["", "seen", "spoken"]

_FIRST_SIGN = re.compile(r"\s*([+-]?)\s*")
_TERM = re.compile(
    r"""\s* (?: (?P<weight> \d+(?:\.\d*)? | \.\d+ ) : (?!\d) )?
        (?: (?P<sense> seen | spoken ) : )?
        \s* (?: "(?P<quoted>[^"]*)" | (?P<words>.*?) )
        \s* (?: \Z | (?<=\s) (?P<sign>[+-]) (?=\s|\Z) )""",
    re.VERBOSE | re.DOTALL,
)
"""A term and the sign after it; matches any text, because words may continue to the end."""
_PATH_STARTS = ("./", "../", "/", "~")
_SENSES: dict[str, Sense] = {"": "", "seen": "seen", "spoken": "spoken"}
_EMPTY = "the query is empty: give some words, or a picture or video file"


@dataclass(frozen=True, slots=True)
class Term:
    """Words (a `str`) or a picture or video file (a `Path`), with a weight, which is negative for `-`.

    `sense` says where to look: in pictures (`seen`), in what is said (`spoken`), or in both ("").
    """

    content: str | Path
    weight: float = 1.0
    sense: Sense = ""

    def __str__(self) -> str:
        text = self.content if isinstance(self.content, str) else _as_path(self.content)
        weight = f"{Decimal(repr(float(abs(self.weight)))):f}".removesuffix(".0")
        sense = f"{self.sense}:" if self.sense else ""
        if '"' in text:  # can't be quoted; an explicit weight keeps it from being parsed as weight or quote
            begins = text[0].isdigit() or text.startswith(("seen:", "spoken:"))
            gap = " " if begins else ""  # 1:30 would be a time
            return f"{weight}:{sense}{gap}{text}"
        return f'{sense}"{text}"' if weight == "1" else f'{weight}:{sense}"{text}"'


@dataclass(frozen=True, slots=True)
class Query:
    """At least one term. `str(query)` parses to the same query.

    Raises:
        QueryError: there is no term, or a weight is zero or not finite.
    """

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise QueryError(_EMPTY)
        for term in self.terms:
            if term.weight == 0 or not math.isfinite(term.weight):
                raise QueryError(
                    f"the weight {term.weight:g} of {_shown(str(term))} must be a positive number"
                )
            if term.sense == "spoken" and not isinstance(term.content, str):
                raise QueryError(f"{_shown(str(term))} is a file, which can't be spoken: give words")

    @property
    def seen(self) -> Query | None:
        """The part that is looked for in pictures; None if there is none."""
        terms = tuple(term for term in self.terms if term.sense != "spoken")
        return Query(terms) if terms else None

    @property
    def spoken(self) -> tuple[tuple[str, float], ...]:
        """The words that are looked for in what is said, with their weights.

        Beside a file, which is about pictures, only those that say so.
        """
        plain = all(isinstance(term.content, str) for term in self.terms)
        return tuple(
            (term.content, term.weight)
            for term in self.terms
            if isinstance(term.content, str) and (term.sense == "spoken" or (plain and not term.sense))
        )

    def __str__(self) -> str:
        signs = ["-" if term.weight < 0 else "+" for term in self.terms]
        text = " ".join(f"{sign} {term}" for sign, term in zip(signs, self.terms, strict=True))
        return text.removeprefix("+ ")


def parse_query(text: str, *, files: bool = True) -> Query:
    """Parse a query; the module documents the grammar.

    Args:
        text: the query.
        files: whether terms may be files. Use False for text from a network, which must not choose files for
            this machine to open.

    Raises:
        QueryError: it is empty, a sign has no term, a weight is zero, or a file doesn't exist.
    """
    if not text.strip():
        raise QueryError(_EMPTY)
    whole = _content(text.strip(), files, must_exist=False)
    if isinstance(whole, Path):
        return Query((Term(whole),))
    first = _FIRST_SIGN.match(text)
    sign, at = (first[1], first.end()) if first else ("", 0)
    terms = []
    while True:
        term = _TERM.match(text, at)
        assert term is not None, "the pattern matches any text"
        quoted = term["quoted"] is not None
        words = term["quoted"] if quoted else term["words"]
        if not words.strip():
            raise QueryError(
                f'each "+", "-", weight, seen: and spoken: in {text!r} needs words after it, '
                "e.g. beach + sunset"
            )
        sense = _SENSES[term["sense"] or ""]
        content = _content(words, files and sense != "spoken" and (_is_path(words) or not quoted))
        weight = float(term["weight"] or 1)
        terms.append(Term(content, -weight if sign == "-" else weight, sense))
        if not term["sign"]:
            return Query(tuple(terms))
        sign, at = term["sign"], term.end()


def _content(text: str, files: bool, *, must_exist: bool = True) -> str | Path:
    """Return the file that a term names, or else the term itself."""
    if not files:
        return text
    path = Path(text)
    if _is_path(text):
        with suppress(ValueError):  # a user's name with a zero byte
            path = Path(os.path.expanduser(text))  # unlike Path.expanduser, leaves unknown users as they are
        if _is_file(path):
            return path
        if must_exist:
            raise QueryError(
                f'File not found: {_shown(text)}. For a text search, don\'t start with "./", "/" or "~"'
            )
        return text
    looks_like_a_file = path.suffix or len(path.parts) > 1
    return path if looks_like_a_file and _is_file(path) else text


def _shown(text: str) -> str:
    """Return text as a message of one line can show it."""
    return text if text.isprintable() else repr(text)


def _is_path(text: str) -> bool:
    return text.startswith(_PATH_STARTS)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a zero byte
        return False


def _as_path(path: Path) -> str:
    text = str(path)
    return text if _is_path(text) else f"./{text}"
