"""Builds the store's conditions, which are SQL.

Only this module and `conditions`, which reads what users write, compose SQL; users' text is never part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from centerclip.errors import CenterCLIPError, IndexStoreError
from centerclip.index.bucket import explain, reason_of

__all__ = [
    "Condition",
    "all_of",
    "any_of",
    "begins",
    "compare",
    "differs",
    "equals",
    "literal",
    "reason_of",
    "shown_path",
    "store_errors",
]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on rows, in SQL that this package wrote."""

    sql: str

    def __str__(self) -> str:
        return self.sql


def literal(value: str | float) -> str:
    """Write a value as a SQL literal; only quotes need escaping."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def compare(column: str, operator: str, value: str | float) -> Condition:
    return Condition(f"{column} {operator} {literal(value)}")


def equals(column: str, value: str | float) -> Condition:
    return compare(column, "=", value)


def differs(column: str, value: str | float) -> Condition:
    return compare(column, "<>", value)


def any_of(column: str, values: Iterable[str | float]) -> Condition:
    """Return the condition that `column` is one of `values`, at least one."""
    return Condition(f"{column} IN ({', '.join(literal(value) for value in values)})")


def begins(column: str, text: str) -> Condition:
    return Condition(f"starts_with({column}, {literal(text)})")


def all_of(*conditions: Condition | None) -> Condition | None:
    """Join conditions by AND, without the missing ones; parentheses keep each one intact."""
    given = [f"({condition})" for condition in conditions if condition is not None]
    return Condition(" AND ".join(given)) if given else None


def shown_path(folders: Mapping[str, str]) -> str:
    """Return the expression for a file's path as visitors know it.

    Args:
        folders: the label of each folder; of several that contain a file, the first one counts. An empty
            label isn't part of the path. A file in none of them is shown with the folder it is in.
    """
    parts = []
    for folder, label in folders.items():
        prefix = "".join(f"\\x{{{ord(letter):X}}}" for letter in folder.rstrip("/") + "/")
        inside = f"nullif(regexp_replace(path, '^{prefix}', ''), path)"  # NULL if it isn't there
        parts.append(f"{literal(label + '/')} || {inside}" if label else inside)
    last_two = "ltrim(regexp_replace(path, '(?s)^.*/([^/]+/[^/]+)$', '$1'), '/')"
    return f"coalesce({', '.join([*parts, last_two])})"


@contextmanager
def store_errors(location: str, doing: str) -> Iterator[None]:
    """Turn any error of the store while `doing` something into a one-line `IndexStoreError`."""
    try:
        yield
    except CenterCLIPError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # the three kinds lancedb raises
        if "://" in location:
            raise explain(location, doing, error) from error
        raise IndexStoreError(
            f"the index {location} failed while {doing}: {reason_of(error)}. "
            "Check that the location is reachable, writable and has free space; then run the command again. "
            "If that doesn't help, run `centerclip repair`"
        ) from error
