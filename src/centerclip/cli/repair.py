"""`centerclip repair`: check an index completely, and mend it."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.formats import count
from centerclip.cli.options import option
from centerclip.cli.output import note, on_terminal, stdout, table, write_json, write_tabs

if TYPE_CHECKING:
    from centerclip.index import TableReport

__all__ = ["repair"]


def repair(
    index: options.IndexLocation = None,
    storage: options.StorageOptions = None,
    wait: Annotated[
        float,
        option("How long to wait while another process writes to the index. Default: 0.", metavar="SEC"),
    ] = 0.0,
    check: Annotated[bool, option("Only check the index; change nothing.", "--check", "--dry-run")] = False,
    json: options.Json = False,
) -> None:
    """Check an index completely, and mend it.

    Use it after a power cut, or if a disk is faulty. It reads the whole index. What can't be read is replaced
    by an older state or dropped, and the next `centerclip index PATH` encodes the files that lost something
    again. Your videos aren't touched.

    The exit code is 0 if the index is good or was mended, and 1 if it can't be mended, or with --check if it
    is damaged.

    Piped output has one table per line, tab-separated: name, rows, state (good, mended or damaged), what was
    damaged.

    \b
    Examples:
      centerclip repair --check
      centerclip repair --index ~/clips.index
    """
    from centerclip.index import examine
    from centerclip.index import repair as mend

    location = options.index_location(index)
    storage_options = options.storage_options(storage)
    if check:
        reports = examine(location, storage_options=storage_options)
    else:
        reports = mend(location, wait_seconds=wait, storage_options=storage_options)
    if json:
        write_json(*(asdict(report) for report in reports))
    elif on_terminal():
        _show(reports)
    else:
        write_tabs(*((report.table, report.rows, report.state, report.detail) for report in reports))
    states = {report.state for report in reports}
    if "damaged" in states:
        note(f"The index is damaged. To mend it: centerclip repair --index {shlex.quote(location)}")
        raise typer.Exit(1)
    if "mended" in states:
        note("Mended. To encode files again that lost something: centerclip index PATH")
    else:
        note(f"The index is good: {count(sum(report.rows for report in reports), 'row')} read.")


def _show(reports: list[TableReport]) -> None:
    rows = table("table", "rows", "state", right=("rows",))
    for report in reports:
        state = f"{report.state}: {report.detail}" if report.detail else report.state
        rows.add_row(report.table, str(report.rows), state)
    stdout().print(rows)
