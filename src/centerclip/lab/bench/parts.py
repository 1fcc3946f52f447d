"""The parts of the bench by name, and how to run them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from centerclip.errors import ConfigError
from centerclip.lab.bench.clustering import measure_clustering
from centerclip.lab.bench.decoding import measure_decoding
from centerclip.lab.bench.encoder import measure_encoder
from centerclip.lab.bench.gpu import measure_gpu
from centerclip.lab.bench.growth import measure_growth
from centerclip.lab.bench.indexing import measure_indexing
from centerclip.lab.bench.machine import Stolen, this_machine
from centerclip.lab.bench.recordings import measure_recordings
from centerclip.lab.bench.report import BenchReport, Row
from centerclip.lab.bench.searching import measure_search
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.sizes import measure_sizes
from centerclip.lab.bench.subjects import Subject
from centerclip.lab.bench.training import measure_training

__all__ = ["BY_DEFAULT", "FIRST_ONLY", "PARTS", "check_parts", "measure"]

PARTS: Mapping[str, Callable[[list[Subject], Setting], Iterator[Row]]] = {
    "clustering": measure_clustering,
    "encoder": measure_encoder,
    "gpu": measure_gpu,
    "decode": measure_decoding,
    "index": measure_indexing,
    "recordings": measure_recordings,
    "train": measure_training,
    "search": measure_search,  # the longest of those that are measured by default
    "sizes": measure_sizes,
    "growth": measure_growth,
}

BY_DEFAULT = tuple(name for name in PARTS if name not in {"sizes", "growth"})
"""All parts but two, of which one takes as long as all others together."""
FIRST_ONLY = frozenset({"gpu", "decode", "index", "recordings", "search", "sizes", "growth"})
"""Parts that measure the first model at most."""


def check_parts(names: Iterable[str]) -> None:
    """Check that all names are parts.

    Raises:
        ConfigError: one is not.
    """
    for name in names:
        if name not in PARTS:
            raise ConfigError(f"the bench has no part {name!r}: choose from {', '.join(PARTS)}")


def measure(
    names: Sequence[str],
    subjects: list[Subject],
    setting: Setting,
    *,
    settings: Mapping[str, Any],
    on_row: Callable[[Row], None] | None = None,
    on_part: Callable[[BenchReport], None] | None = None,
) -> BenchReport:
    """Run parts of the bench one after another.

    Args:
        names: keys of `PARTS`.
        subjects: the models; `gpu`, `index`, `recordings` and `search` use the first of those that every part
            measures.
        setting: how to run them.
        settings: options of the run, for the report.
        on_row: called with each row as it is measured.
        on_part: called after each part with the report so far, so that an interrupted run has results.

    Raises:
        ConfigError: there is no such part.
    """
    check_parts(names)
    began, start = datetime.now(UTC).date().isoformat(), time.monotonic()
    rows: list[Row] = []
    stolen: dict[str, float] = {}
    report = BenchReport(rows, this_machine(), settings, began, 0.0)
    for name in names:
        host = Stolen()
        own = [subject for subject in subjects if not subject.parts or name in subject.parts]
        for row in PARTS[name](own, setting):
            rows.append(row)
            if on_row is not None:
                on_row(row)
        if (share := host.share) is not None:
            stolen[name] = share
        report = replace(report, rows=list(rows), seconds=time.monotonic() - start, stolen=dict(stolen))
        if on_part is not None:
            on_part(report)
    return report
