"""Where results and everything else go: results to stdout, the rest to stderr.

On a terminal a result is a table; piped it is one line with tabs between its fields, so that `cut`
and `awk` work, or a JSON object.
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
    """Whether a person reads the results: stdout is a terminal."""
    return stdout().is_terminal


def note(text: str, *, style: str = "", lead: str = "", indent: int = 0) -> None:
    """Tell a person something that is no result: one line on stderr, wrapped on a terminal.

    Args:
        text: control characters in it are spelt out.
        style: of `lead`, or of the text if there is no lead.
        lead: what stands before it in bold.
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
    """A table without rules: dim headings, two spaces between columns; those in `right` align right.

    Of a table too wide for the terminal, the last column is wrapped.
    """
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", no_wrap=name != columns[-1])
    return made


def write_json(*records: Mapping[str, Any]) -> None:
    """One JSON object a line; what is not finite becomes null."""
    _write(f"{_json(_finite(record))}\n" for record in records)


def write_tabs(*rows: Sequence[object]) -> None:
    r"""Each row a line, tabs between its fields; control characters are spelt out, as in `\t` and `\n`."""
    _write("\t".join(visible(str(field)) for field in row) + "\n" for row in rows)


def write_paths(paths: Iterable[str | os.PathLike[str]], *, null: bool) -> None:
    """Each path once, as it is, for `xargs`: one a line, or ended by a zero byte for `xargs -0`."""
    end = "\0" if null else "\n"
    _write(path + end for path in dict.fromkeys(os.fspath(path) for path in paths))


def _write(lines: Iterable[str]) -> None:
    # In one piece, even where Python does not buffer: `head -1`, satisfied by the first line, would close
    # the pipe before the second was written, and a search that found all it should would end as failed.
    if text := "".join(lines):
        sys.stdout.write(text)


def _json(finite: Any) -> str:
    text = json.dumps(finite, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file's name that is no UTF-8 must not make the whole line so
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
