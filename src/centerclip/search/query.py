"""The query language: words and files, added and subtracted.

    query     = [sign] term { " " sign " " term }      sign = "+" | "-"
    term      = [weight ":"] ( quoted | file | words )
    weight    = a positive decimal number; 1 where none is given
    quoted    = '"' anything but '"' '"'               taken as words, whatever they look like

A sign between terms stands between spaces, so that `black-and-white` and `C++` are words; the first term
may have its sign right before it (`-people`). A term is a file when it begins with `./`, `../`, `/` or `~`
(then it must exist), or when a file of that name exists and the name has a folder or an ending
(`holiday/beach.jpg`, `beach.jpg`). Anything else is words. A query may consist of negative terms alone: it
finds what is least like them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from centerclip.errors import QueryError

__all__ = ["Query", "Term", "parse_query"]

_FIRST_SIGN = re.compile(r"\s*([+-])\s*")
_SIGN = re.compile(r"\s+([+-])(?:\s+|$)")
_WEIGHT = re.compile(r"(\d+(?:\.\d*)?|\.\d+):\s*")
_QUOTED = re.compile(r'"([^"]*)"\s*(?=$|\s[+-](?:\s|$))')
_PATH_STARTS = ("./", "../", "/", "~")


@dataclass(frozen=True, slots=True)
class Term:
    """Words (a `str`) or a picture or video file (a `Path`), and the weight, negative for `-`."""

    content: str | Path
    weight: float = 1.0

    def __str__(self) -> str:
        content = f'"{self.content}"' if isinstance(self.content, str) else _as_path(self.content)
        return content if abs(self.weight) == 1 else f"{abs(self.weight):.17g}:{content}"


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
    terms = []
    sign, at = _leading_sign(text)
    while True:
        rest = text[at:]
        weight_given = _WEIGHT.match(rest)
        weight = float(weight_given[1]) if weight_given else 1.0
        rest = rest[weight_given.end() :] if weight_given else rest
        quoted = _QUOTED.match(rest)
        separator = _SIGN.search(rest, quoted.end(1) + 1 if quoted else 0)
        written = rest[: separator.start()] if separator else rest
        content = quoted[1] if quoted else _content(written.strip(), files)
        if isinstance(content, str) and not content.strip():
            raise QueryError(f"the query {text!r} has a sign or a weight without a term: give words after it")
        terms.append(Term(content, sign * weight))
        if separator is None:
            return Query(tuple(terms))
        at = len(text) - len(rest) + separator.end()
        sign = -1 if separator[1] == "-" else 1


def _leading_sign(text: str) -> tuple[int, int]:
    first = _FIRST_SIGN.match(text)
    if first:
        return (-1 if first[1] == "-" else 1), first.end()
    return 1, len(text) - len(text.lstrip())


def _content(text: str, files: bool) -> str | Path:
    if not files:
        return text
    if text.startswith(_PATH_STARTS):
        path = Path(text).expanduser()
        if not path.is_file():
            raise QueryError(
                f"{text} is no file: mend the path, or put it in double quotes if these are words to search"
            )
        return path
    path = Path(text)
    named_like_a_file = path.suffix or len(path.parts) > 1
    return path if named_like_a_file and _is_file(path) else text


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a zero byte: words
        return False


def _as_path(path: Path) -> str:
    text = str(path)
    return text if text.startswith(_PATH_STARTS) else f"./{text}"
