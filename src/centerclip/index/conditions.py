"""Reads the conditions that users write on the command line, in the REST API and in programs.

They are a small part of SQL: columns, comparisons, `and`, `or`, `not`, `like`, `ilike`, `in`, `between`,
`is null` and literals. The store's own SQL has functions that take unlimited time and memory, so a user's
text never reaches it: `grammar` makes a tree of the text, and this module writes what the tree says. Only
words and nodes that are named pass, in limited numbers, so every condition is one pass over the rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import NoReturn

from sqlglot import exp

from centerclip.errors import QueryError
from centerclip.index.columns import Column
from centerclip.index.grammar import RefusedError, parse_tree
from centerclip.index.sql import Condition, all_of, compare, literal

__all__ = ["instant", "parse_condition", "recorded_between"]

_MAX_VALUES = 200
_MAX_PATTERN, _MAX_WILDCARDS = 300, 10
_DAY_LETTERS = 10
"""A longer date also has a time of day."""

_COMPARISONS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def parse_condition(
    where: str | Condition | None, columns: Mapping[str, Column], spelled: Mapping[str, str] | None = None
) -> Condition | None:
    """Turn a user's condition into one for the store; None if it is empty.

    Texts are in single quotes, and `%` and `_` in a pattern are wildcards unless a backslash precedes them.
    A column of instants is compared with seconds since the epoch, or with a date, which is its first instant.

    Args:
        where: the condition; one that was parsed before is returned as it is.
        columns: those it may name, in any case.
        spelled: the SQL expression that stands for a column, if it isn't its name.

    Raises:
        QueryError: anything else; the message says in one line what isn't allowed and what is.
    """
    if where is None or isinstance(where, Condition):
        return where
    if not where.strip():
        return None
    try:
        return Condition(_Reader(columns, spelled or {}).condition(parse_tree(where, columns)))
    except RefusedError as problem:
        shown = repr(where if len(where) <= 200 else f"{where[:200]}…")
        raise QueryError(
            f"the condition {shown} can't be used: {problem}. Compare the columns {', '.join(columns)} with "
            "=, <>, <, <=, >, >=, like, ilike, in, between or is null, and join comparisons by and, or, not"
        ) from None


def instant(text: str) -> float:
    """Return a date's first instant, or that of a date and time, in seconds since the epoch.

    Args:
        text: ISO 8601; in this machine's time zone unless it names one.

    Raises:
        ValueError: not a date, or one that this machine can't represent.
    """
    text = text.strip()
    try:
        if len(text) <= _DAY_LETTERS:
            return datetime.combine(date.fromisoformat(text), time()).astimezone().timestamp()
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (OverflowError, OSError) as error:
        raise ValueError(str(error)) from error


def recorded_between(after: str = "", before: str = "") -> Condition | None:
    """Return the condition that a video was recorded in a span; None without limits.

    Args:
        after, before: a day, or a date and time, in ISO 8601 and in this machine's time zone unless it names
            one. Both are inclusive: a day counts from its first instant, or to its last.

    Raises:
        QueryError: not a date.
    """
    first = compare("recorded_seconds", ">=", _day("after", after)) if after.strip() else None
    return all_of(first, _until(before.strip()) if before.strip() else None)


def _until(text: str) -> Condition | None:
    last = _day("before", text)
    if len(text) > _DAY_LETTERS:
        return compare("recorded_seconds", "<=", last)
    day = date.fromisoformat(text)
    if day == date.max:
        return None  # no later day can be written
    return compare("recorded_seconds", "<", _day("before", (day + timedelta(days=1)).isoformat()))


def _day(name: str, text: str) -> float:
    try:
        return instant(text)
    except ValueError:
        raise QueryError(f"{name}={text!r} isn't a date: write it like 2026-05-31") from None


class _Reader:
    """Writes the SQL of a tree, node by node; a node that isn't expected where it stands is refused."""

    def __init__(self, columns: Mapping[str, Column], spelled: Mapping[str, str]) -> None:
        self._columns = columns
        self._spelled = spelled

    def condition(self, node: exp.Expr) -> str:
        node = node.unnest()
        if isinstance(node, exp.And | exp.Or):
            word = " AND " if isinstance(node, exp.And) else " OR "
            return word.join(f"({self.condition(part)})" for part in node.flatten())
        if isinstance(node, exp.Not):
            inner = node.this.unnest()
            return (
                self.condition(inner.this) if isinstance(inner, exp.Not) else f"NOT ({self.condition(inner)})"
            )
        if isinstance(node, exp.Boolean):
            return "true" if node.this else "false"
        if type(node) in _COMPARISONS:
            return self._compare(node, _COMPARISONS[type(node)])
        if isinstance(node, exp.Like | exp.ILike):
            return self._like(node)
        if isinstance(node, exp.In | exp.Between | exp.Is):
            column = self._column(node.this)
            if column is None:
                raise RefusedError("in, between and is need a column on their left")
            return f"{self._name(column)} {self._rest(node, column)}"
        raise RefusedError(f"what begins with {_start(node)} isn't a comparison")

    def _compare(self, node: exp.Expr, operator: str) -> str:
        left, right = self._column(node.this), self._column(node.expression)
        if left is not None and right is not None:
            if (left.type == "string") != (right.type == "string"):
                raise RefusedError(
                    f"{left.name} and {right.name} can't be compared: one is text, the other a number"
                )
            return f"{self._name(left)} {operator} {self._name(right)}"
        if left is not None:
            return f"{self._name(left)} {operator} {self._value(node.expression, left)}"
        if right is not None:
            operator = _MIRRORED.get(operator, operator)
            return f"{self._name(right)} {operator} {self._value(node.this, right)}"
        raise RefusedError(f"the comparison that begins with {_start(node)} has no column")

    def _like(self, node: exp.Like | exp.ILike) -> str:
        word = "LIKE" if isinstance(node, exp.Like) else "ILIKE"
        column, pattern = self._column(node.this), node.expression.unnest()
        if column is None or column.type != "string":
            raise RefusedError(f"{word.lower()} needs a column of text on its left")
        if not (isinstance(pattern, exp.Literal) and pattern.is_string):
            raise RefusedError(f"{word.lower()} needs a pattern in single quotes on its right")
        word = f"NOT {word}" if node.args.get("negate") else word
        return f"{self._name(column)} {word} {literal(_pattern(pattern.name))}"

    def _rest(self, node: exp.In | exp.Between | exp.Is, column: Column) -> str:
        """Return what follows the column."""
        if isinstance(node, exp.Between):
            low, high = (self._value(node.args[name], column) for name in ("low", "high"))
            return f"BETWEEN {low} AND {high}"
        if isinstance(node, exp.Is):
            if not isinstance(node.expression, exp.Null):
                raise RefusedError("`is` is followed by null or not null")
            return "IS NULL"
        values = node.expressions
        if not 1 <= len(values) <= _MAX_VALUES:
            raise RefusedError(f"`in` needs 1 to {_MAX_VALUES} values in parentheses, but has {len(values)}")
        return f"IN ({', '.join(self._value(value, column) for value in values)})"

    def _column(self, node: exp.Expr) -> Column | None:
        node = node.unnest()
        if not isinstance(node, exp.Column):
            return None
        if node.name.lower() not in self._columns:  # the parser takes a lonely `is` or `in` for a name
            raise RefusedError(f"{node.name!r} is out of place")
        return self._columns[node.name.lower()]

    def _name(self, column: Column) -> str:
        return self._spelled.get(column.name, column.name)

    def _value(self, node: exp.Expr, column: Column) -> str:
        node = node.unnest()
        sign = 1
        if isinstance(node, exp.Neg):
            node, sign = node.this.unnest(), -1
        if not isinstance(node, exp.Literal) or (node.is_string and sign < 0):
            raise RefusedError(
                f"{column.name} is compared with {_start(node)}, which is neither text nor a number"
            )
        if column.type == "string":
            if not node.is_string:
                raise RefusedError(f"{column.name} holds text, so {node.name!r} needs single quotes")
            return literal(node.name)
        if node.is_string:
            return literal(_instant(node.name, column))
        return literal(sign * _number(node.name, column))


def _start(node: exp.Expr) -> str:
    """Return the first word of a part of the condition, for a message."""
    while isinstance(node.this, exp.Expr):
        node = node.this
    return repr((node.name or node.key)[:40])


def _instant(text: str, column: Column) -> float:
    if not column.is_instant:
        raise RefusedError(f"{column.name} holds numbers, so {text[:40]!r} can't be compared with it")
    try:
        return instant(text)
    except ValueError:
        raise RefusedError(f"{text[:40]!r} isn't a date, which is written like 2026-05-31") from None


def _number(text: str, column: Column) -> float:
    try:
        number = float(text)
        whole = int(text) if text.isdecimal() else int(number)
    except (ValueError, OverflowError):
        _refuse_number(text, "isn't a finite number")
    if column.type == "float64":
        return number if math.isfinite(number) else _refuse_number(text, "isn't a finite number")
    if whole != number and not text.isdecimal():
        _refuse_number(text, f"isn't a whole number, as {column.name} is")
    if whole > column.largest:
        _refuse_number(text, f"is more than {column.name} can be")
    return whole


def _refuse_number(text: str, why: str) -> NoReturn:
    raise RefusedError(f"{text[:40]} {why}")


def _pattern(text: str) -> str:
    """Write a pattern in one way: a backslash only before what it makes literal, and no `%` after another."""
    if len(text) > _MAX_PATTERN:
        raise RefusedError(f"a pattern has more than {_MAX_PATTERN} characters")
    parts: list[str] = []
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            escaped = next(letters, "")
            parts += [f"\\{escaped}"] if escaped in {"%", "_", "\\"} else ["\\\\", *_plain(escaped)]
        elif letter != "%" or parts[-1:] != ["%"]:
            parts.append(letter)
    if sum(part == "%" for part in parts) > _MAX_WILDCARDS:
        raise RefusedError(f"a pattern has more than {_MAX_WILDCARDS} times %")
    return "".join(parts)


def _plain(letter: str) -> list[str]:
    return [letter] if letter else []
