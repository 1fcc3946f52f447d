"""The query language: words and files, added and subtracted.

    query     = [sign] term { " " sign " " term }      sign = "+" | "-"
    term      = [weight ":"] ( quoted | file | words )
    weight    = a positive decimal number, 1 where none is given; not before a digit (10:30 is a time)
    quoted    = '"' anything but '"' '"'               one term, whatever signs it holds

A sign between terms stands between spaces, so that `black-and-white` and `C++` are words; the first term
may have its sign right before it (`-people`). A term is a file when it begins with `./`, `../`, `/` or `~`
(then it must exist), or when a file of that name exists, the name has a folder or an ending
(`holiday/beach.jpg`, `beach.jpg`) and is not quoted. Anything else is words. A query that is as a whole the
name of such a file is that file, though there be a sign in it (`Band - Song.mp4`). A query may consist of
negative terms alone: it finds what is least like them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from centerclip.errors import QueryError

__all__ = ["Query", "Term", "parse_query"]

_FIRST_SIGN = re.compile(r"\s*([+-]?)\s*")
_TERM = re.compile(
    r"""\s* (?: (?P<weight> \d+(?:\.\d*)? | \.\d+ ) : (?!\d) )?
        \s* (?: "(?P<quoted>[^"]*)" | (?P<words>.*?) )
        \s* (?: \Z | (?<=\s) (?P<sign>[+-]) (?=\s|\Z) )""",
    re.VERBOSE | re.DOTALL,
)
"""A term and the sign that follows it; matches anywhere, since words may go on to the end."""
_PATH_STARTS = ("./", "../", "/", "~")


@dataclass(frozen=True, slots=True)
class Term:
    """Words (a `str`) or a picture or video file (a `Path`), and the weight, negative for `-`."""

    content: str | Path
    weight: float = 1.0

    def __str__(self) -> str:
        text = self.content if isinstance(self.content, str) else _as_path(self.content)
        weight = np.format_float_positional(abs(self.weight), trim="-")
        if '"' in text:  # can't be quoted; the weight keeps what looks like one from being read as one
            gap = " " if text[0].isdigit() else ""  # 1:30 would be a time, and 1: - a sign
            return f"{weight}:{gap}{text}"
        return f'"{text}"' if weight == "1" else f'{weight}:"{text}"'


@dataclass(frozen=True, slots=True)
class Query:
    """At least one term. `str(query)` is a text that parses to the same query.

    Raises:
        QueryError: no term, or a weight that is zero or not finite.
    """

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise QueryError("the query is empty: give some words, or a picture or video file")
        for term in self.terms:
            if term.weight == 0 or not math.isfinite(term.weight):
                raise QueryError(f"the weight {term.weight:g} of {term} must be a positive number")

    def __str__(self) -> str:
        signs = ["-" if term.weight < 0 else "+" for term in self.terms]
        text = " ".join(f"{sign} {term}" for sign, term in zip(signs, self.terms, strict=True))
        return text.removeprefix("+ ")


def parse_query(text: str, *, files: bool = True) -> Query:
    """Read a query; see the module for the grammar.

    Args:
        text: what was typed.
        files: whether terms may be files. Say no to text from a network, which must not make this
            machine open files of its choice.

    Raises:
        QueryError: it is empty, a sign lacks its term, a weight is zero, or a file does not exist.
    """
    if not text.strip():
        raise QueryError("the query is empty: give some words, or a picture or video file")
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
            raise QueryError(f"the query {text!r} has a sign or a weight without a term: give words after it")
        content = _content(words, files and (_is_path(words) or not quoted))
        weight = float(term["weight"] or 1)
        terms.append(Term(content, -weight if sign == "-" else weight))
        if not term["sign"]:
            return Query(tuple(terms))
        sign, at = term["sign"], term.end()


def _content(text: str, files: bool, *, must_exist: bool = True) -> str | Path:
    """The file that a term names, or else the term itself."""
    if not files:
        return text
    path = Path(text)
    if _is_path(text):
        path = path.expanduser()
        if _is_file(path):
            return path
        if must_exist:
            raise QueryError(f"{text} is no file: mend the path, or begin the words with something else")
        return text
    named_like_a_file = path.suffix or len(path.parts) > 1
    return path if named_like_a_file and _is_file(path) else text


def _is_path(text: str) -> bool:
    return text.startswith(_PATH_STARTS)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a zero byte: words
        return False


def _as_path(path: Path) -> str:
    text = str(path)
    return text if _is_path(text) else f"./{text}"
