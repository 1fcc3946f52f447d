"""SQL conditions: values written safely into them, and a user's own ones checked.

The store's filters are raw SQL; nothing else in the package builds one by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from centerclip.errors import CenterCLIPError, IndexStoreError, QueryError

__all__ = ["all_of", "any_of", "differs", "equals", "literal", "store_errors", "where_errors"]


def literal(value: str | float) -> str:
    """Write a value as a SQL literal; a quote is doubled, nothing else is special."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def equals(column: str, value: str | float) -> str:
    return f"{column} = {literal(value)}"


def differs(column: str, value: str | float) -> str:
    return f"{column} <> {literal(value)}"


def any_of(column: str, values: Iterable[str]) -> str:
    """The condition that `column` is one of `values`, at least one."""
    return f"{column} IN ({', '.join(literal(value) for value in values)})"


def all_of(*conditions: str | None) -> str | None:
    """Join the conditions that are there by AND, each in parentheses so that none leaks into another."""
    given = [f"({condition})" for condition in conditions if condition]
    return " AND ".join(given) or None


@contextmanager
def where_errors(where: str | None, columns: Iterable[str]) -> Iterator[None]:
    """Turn the store's complaint about a user's condition into a `QueryError` of one line.

    Without a condition errors pass through.
    """
    try:
        yield
    except CenterCLIPError:
        raise
    except (ValueError, RuntimeError) as error:
        if where is None or _is_storage(error):
            raise
        raise QueryError(
            f"the condition {where!r} can't be used: {_reason(error)}. "
            f"Write SQL over the columns {', '.join(columns)}"
        ) from error


@contextmanager
def store_errors(location: str, doing: str) -> Iterator[None]:
    """Turn whatever the store raises while `doing` something into an `IndexStoreError` of one line."""
    try:
        yield
    except CenterCLIPError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # the three kinds lancedb raises
        raise IndexStoreError(
            f"the index {location} failed while {doing}: {_reason(error)}. "
            "Check that the place can be reached and written and has free space; then run the command again"
        ) from error


def _is_storage(error: Exception) -> bool:
    return "LanceError(IO)" in str(error)


def _reason(error: Exception) -> str:
    """The part of the store's message that a reader can use, on one line."""
    text = " ".join(str(error).split())
    parser = re.search(r"\(sql parser error: (.*)\)", text)
    if parser:
        return parser.group(1)
    text = re.sub(r"^((Invalid input|lance error|Not supported|Schema error)[,:] )+", "", text)
    return re.split(r"\. Valid fields|, /", text)[0].rstrip(".")[:300]
