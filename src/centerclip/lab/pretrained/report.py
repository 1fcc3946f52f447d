"""The findings as a table in Markdown."""

from __future__ import annotations

from pathlib import Path

from centerclip.atomic import write_atomically
from centerclip.lab.bench.report import check_page
from centerclip.lab.pretrained.measure import Findings
from centerclip.metrics import Estimate

__all__ = ["check_document", "write_into"]

_MARKS = ("<!-- pretrained -->", "<!-- end of pretrained -->")
_OPTIONAL = ("top_1", "text")


def check_document(document: Path) -> None:
    """Check that `write_into` can write into a document, before anything is measured.

    Raises:
        ConfigError: it can't be read, or lacks the two lines.
    """
    check_page(document, *_MARKS)


def write_into(findings: Findings, document: Path) -> None:
    """Insert the table between `<!-- pretrained -->` and `<!-- end of pretrained -->` in a Markdown file.

    Raises:
        ConfigError: as `check_document`.
    """
    before, after = check_page(document, *_MARKS)
    write_atomically(document, f"{before}\n{_table(findings)}\n{after}")


def _table(findings: Findings) -> str:
    first = findings.rows[0]
    shown = [name for name in _OPTIONAL if getattr(first, name) is not None]
    heads = ["schedule", "reducer", "frames", "cost", "cosine", "against the first"]
    heads += ["class %"] if "top_1" in shown else []
    heads += ["neighbor %", "other half R@1"]
    heads += ["text R@1"] if "text" in shown else []
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in findings.rows:
        cells = [
            f"`{row.schedule}`",
            f"`{row.reducer.rpartition(':')[2]}`" if row.schedule != "none" else "",
            str(row.frames),
            f"{row.cost:.3f}",
            _interval(row.cosine, 4),
            "" if row.gain is None else _interval(row.gain, 4, sign="+"),
        ]
        cells += [_interval(row.top_1, 1)] if row.top_1 is not None else []
        cells += [_interval(row.neighbor, 1), _interval(row.halves, 1)]
        cells += [_interval(row.text, 1)] if row.text is not None else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _interval(estimate: Estimate, digits: int, *, sign: str = "") -> str:
    value, low, high = (
        format(number, f"{sign}.{digits}f") for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} [{low}, {high}]"
