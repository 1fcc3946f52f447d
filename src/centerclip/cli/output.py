"""Prints results to stdout and everything else to stderr.

On a terminal, results are a table; piped, they are tab-separated lines for `cut` and `awk`, or JSON.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from centerclip.cli.formats import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "note",
    "on_terminal",
    "stderr",
    "stdout",
    "table",
    "write_json",
    "write_paths",
    "write_tabs",
]


@cache
def stdout() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


@cache
def stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def on_terminal() -> bool:
    """Whether stdout is a terminal."""
    return stdout().is_terminal


def note(text: str, *, style: str = "", lead: str = "", indent: int = 0) -> None:
    """Print a message on stderr: one line, wrapped on a terminal.

    Args:
        text: control characters are escaped.
        style: of `lead`, or of the text if there is no lead.
        lead: printed before the text in bold.
        indent: spaces before each line.
    """
    from rich.padding import Padding
    from rich.text import Text

    line = Text(lead, style=f"bold {style}") + Text(visible(text), style="" if lead else style)
    if stderr().is_terminal:
        stderr().print(Padding(line, (0, 0, 0, indent)))
    else:
        stderr().print(" " * indent + line.plain, soft_wrap=True)


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """Make a table without lines; columns in `right` are right-aligned.

    If the table is too wide for the terminal, its last column is wrapped.
    """
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", no_wrap=name != columns[-1])
    return made


def write_json(*records: Mapping[str, Any]) -> None:
    """Write one JSON object per line; numbers that aren't finite become null."""
    _write(f"{_json(_finite(record))}\n" for record in records)


def write_tabs(*rows: Sequence[object]) -> None:
    r"""Write one row per line, fields separated by tabs; control characters are escaped, as in `\t`."""
    _write("\t".join(visible(str(field)) for field in row) + "\n" for row in rows)


def write_paths(paths: Iterable[str | os.PathLike[str]], *, null: bool) -> None:
    """Write each path once and unchanged, one per line or, for `xargs -0`, each ended by a zero byte."""
    end = "\0" if null else "\n"
    _write(path + end for path in dict.fromkeys(os.fspath(path) for path in paths))


def _write(lines: Iterable[str]) -> None:
    # In a single write, even if Python doesn't buffer: `head -1` closes the pipe after the first line, and
    # a successful search would fail when it writes the second.
    if text := "".join(lines):
        sys.stdout.write(text)


def _json(finite: Any) -> str:
    text = json.dumps(finite, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name that isn't UTF-8
        return json.dumps(finite)
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
