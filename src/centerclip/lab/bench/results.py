"""Results on disk: runs of the bench as JSON, where a new run replaces only the parts it measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from centerclip.atomic import write_atomically
from centerclip.errors import ConfigError
from centerclip.lab.bench.report import BenchReport

__all__ = ["join_results", "read_results", "write_results"]

_REPORTS = TypeAdapter(list[BenchReport])


def read_results(file: Path, *, quick: bool) -> list[BenchReport]:
    """Read the results of earlier runs; an empty list if there is no file.

    Args:
        quick: whether the new run is quick; its meaningless figures must not be mixed with real ones.

    Raises:
        ConfigError: the file is not a results file of this version, or `quick` differs.
    """
    if not file.exists():
        return []
    try:
        reports = _REPORTS.validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{file} isn't a results file of this version and would be overwritten: move it away, or choose "
            "another folder with --output"
        ) from error
    if any(bool(report.settings.get("quick")) != quick for report in reports):
        raise ConfigError(f"{file}: real and quick figures can't be mixed: choose another --output")
    return reports


def join_results(earlier: Iterable[BenchReport], report: BenchReport) -> list[BenchReport]:
    """Add a run to earlier ones, and drop from these the parts that it measured again."""
    measured = {row.part for row in report.rows}
    rest = [replace(run, rows=[row for row in run.rows if row.part not in measured]) for run in earlier]
    return [*(run for run in rest if run.rows), report]


def write_results(reports: Sequence[BenchReport], file: Path) -> None:
    """Write runs as a list of objects: the fields of `BenchReport`, each row with `met`.

    Values that are not finite become text: `nan`, `inf`.
    """
    runs = [
        asdict(report) | {"rows": [asdict(row) | {"met": row.met} for row in report.rows]}
        for report in reports
    ]
    write_atomically(file, json.dumps(_finite(runs), indent=1, ensure_ascii=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
