"""Build SQL conditions safely, and check those that users write.

The store's filters are raw SQL; no other module builds them by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from centerclip.errors import CenterCLIPError, IndexStoreError, QueryError

__all__ = ["all_of", "any_of", "differs", "equals", "literal", "store_errors", "where_errors"]


def literal(value: str | float) -> str:
    """Write a value as a SQL literal; only quotes need escaping."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def equals(column: str, value: str | float) -> str:
    return f"{column} = {literal(value)}"


def differs(column: str, value: str | float) -> str:
    return f"{column} <> {literal(value)}"


def any_of(column: str, values: Iterable[str]) -> str:
    """Return the condition that `column` is one of `values`, at least one."""
    return f"{column} IN ({', '.join(literal(value) for value in values)})"


def all_of(*conditions: str | None) -> str | None:
    """Join conditions by AND, without the empty ones; parentheses keep each one intact."""
    given = [f"({condition})" for condition in conditions if condition]
    return " AND ".join(given) or None


@contextmanager
def where_errors(where: str | None, columns: Iterable[str]) -> Iterator[None]:
    """Turn the store's error about a user's condition into a one-line `QueryError`; otherwise let it pass."""
    try:
        yield
    except CenterCLIPError:
        raise
    except (ValueError, RuntimeError) as error:
        if where is None or "LanceError(IO)" in str(error):
            raise
        raise QueryError(
            f"the condition {where!r} can't be used: {_reason(error)}. "
            f"Write SQL over the columns {', '.join(columns)}"
        ) from error


@contextmanager
def store_errors(location: str, doing: str) -> Iterator[None]:
    """Turn any error of the store while `doing` something into a one-line `IndexStoreError`."""
    try:
        yield
    except CenterCLIPError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # the three kinds lancedb raises
        raise IndexStoreError(
            f"the index {location} failed while {doing}: {_reason(error)}. "
            "Check that the location is reachable, writable and has free space; then run the command again. "
            "If that doesn't help, run `centerclip repair`"
        ) from error


def _reason(error: Exception) -> str:
    """Return the useful part of the store's message, on one line."""
    text = " ".join(str(error).split())
    parser = re.search(r"\(sql parser error: (.*)\)", text)
    if parser:
        return parser.group(1)
    text = re.sub(r"^((Invalid input|lance error|Not supported|Schema error)[,:] )+", "", text)
    return re.split(r"\. Valid fields|, /", text)[0].rstrip(".")[:300]
