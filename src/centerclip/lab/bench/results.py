"""Results on disk: runs of the bench as JSON, in which a new run takes the place of its own parts only."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from centerclip.errors import ConfigError
from centerclip.lab.bench.report import Report

__all__ = ["join_results", "read_results", "write_results"]

_REPORTS = TypeAdapter(list[Report])


def read_results(file: Path, *, quick: bool) -> list[Report]:
    """Read what earlier runs found, to which one more is about to be added; nothing where there is no file.

    Args:
        quick: whether the new run is quick, so that its figures mean nothing.

    Raises:
        ConfigError: it can't be read as results of this version, or only one of old and new is quick.
    """
    if not file.exists():
        return []
    try:
        reports = _REPORTS.validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{file} holds no results of this version, and would be overwritten: move it away, or choose "
            "another folder with --output"
        ) from error
    if any(bool(report.settings.get("quick")) != quick for report in reports):
        raise ConfigError(f"{file}: real and quick figures don't go together; choose another --output")
    return reports


def join_results(earlier: Iterable[Report], report: Report) -> list[Report]:
    """Add a run to earlier ones, which lose the parts that it has measured anew."""
    measured = {row.part for row in report.rows}
    rest = [replace(run, rows=[row for row in run.rows if row.part not in measured]) for run in earlier]
    return [*(run for run in rest if run.rows), report]


def write_results(reports: Sequence[Report], file: Path) -> None:
    """Write runs as a list of objects: `began`, `seconds`, `settings`, `machine` and `rows`, each with `met`.

    What is not finite becomes text: `nan`, `inf`.
    """
    whole = [asdict(report) for report in reports]
    for report, made in zip(reports, whole, strict=True):
        for row, told in zip(report.rows, made["rows"], strict=True):
            told["met"] = row.met
    text = json.dumps(_finite(whole), indent=1, ensure_ascii=False) + "\n"
    written = file.with_suffix(".part")
    written.write_text(text, encoding="utf-8")
    written.replace(file)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
