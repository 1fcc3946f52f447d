"""Very large indexes: what they cost to make, to add to and to search, and how many partitions to search."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from centerclip.index import ModelCard, VideoIndex
from centerclip.index.ann import default_probes, partitions_for
from centerclip.index.store import Store
from centerclip.lab.bench.collection import TOP, WINDOWS_PER_VIDEO, Collection
from centerclip.lab.bench.filling import WINDOW_MS, fill, made_up_video
from centerclip.lab.bench.report import Row
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject
from centerclip.lab.bench.timing import Spread

__all__ = ["measure_sizes"]

_SHARES = (2, 5, 10, 20, 35, 50)
"""Percentages of the partitions to search."""


def measure_sizes(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Make indexes of made-up windows, add to them, and search them with more and more partitions."""
    card = _card(subjects[0])
    for windows in (2_048,) if setting.quick else setting.windows:
        place = setting.folder / f"sizes-{windows}"
        try:
            yield from _measure(place, card, windows, setting)
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _measure(place: Path, card: ModelCard, windows: int, setting: Setting) -> Iterator[Row]:
    made = Collection(windows, card.embed_size, 20 if setting.quick else 100)

    def row(what: str, figure: float, unit: str, **more: Any) -> Row:
        details = {"windows": windows, **more.pop("details", {})}
        return Row(
            "sizes", f"{what}, {windows:,} windows", Spread.of([figure]), unit, details=details, **more
        )

    setting.tell(f"sizes, {windows:,} windows: writing")
    index = VideoIndex(place)
    index.bind(card)
    filled = _cpu_seconds(lambda: fill(index, made))
    yield row("written", filled, "s", note="in bulk, with making the windows up; processor time")
    setting.tell(f"sizes, {windows:,} windows: building the ANN index")
    yield row(
        "ANN index built", _cpu_seconds(lambda: _finish(index)), "s", note="with checks; processor time"
    )
    stats = index.stats()
    ann = sum(file.stat().st_size for file in place.glob("windows.lance/_indices/**/*") if file.is_file())
    yield row(
        "per window",
        stats.size_bytes / windows,
        "B",
        note=f"one segment, no pictures; ANN {ann / windows:.0f} B",
    )
    yield from _searches(index, made, row)
    yield from _additions(index, made, row)


def _searches(index: VideoIndex, made: Collection, row: Callable[..., Row]) -> Iterator[Row]:
    if index.stats().search == "ann":
        table = Store(index.location).table("windows")
        partitions = partitions_for(made.windows)
        wanted = {default_probes(made.windows), partitions}
        wanted |= {partitions * share // 100 for share in _SHARES}
        for probes in sorted(wanted - {0}):
            query = lambda vector, probes=probes: (  # noqa: E731
                table.search(vector, vector_column_name="vector")
                .distance_type("cosine")
                .nprobes(probes)
                .refine_factor(6)
                .limit(TOP)
                .select(["path", "start_ms", "_distance"])
                .to_arrow()
            )
            yield _search_row(made, query, row, f"{probes} of {partitions} partitions")
    yield _search_row(made, lambda vector: _rows(index, vector), row, f"{index.stats().search}, by default")


def _search_row(
    made: Collection, search: Callable[[Any], pa.Table], row: Callable[..., Row], how: str
) -> Row:
    search(made.asked[0])
    recalls, cpu, wall = [], [], []
    for vector, true in zip(made.asked, made.nearest, strict=True):
        began, spent = time.perf_counter(), time.process_time()
        found = search(vector)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - spent)
        numbers = [
            int(Path(path).stem) * WINDOWS_PER_VIDEO + start // WINDOW_MS
            for path, start in zip(found["path"].to_pylist(), found["start_ms"].to_pylist(), strict=True)
        ]
        recalls.append(len(set(numbers) & set(true.tolist())) / TOP)
    seconds = {
        f"{name}_p{at}": float(np.quantile(values, at / 100))
        for name, values in (("cpu", cpu), ("wall", wall))
        for at in (50, 95)
    }
    note = ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in seconds.items())
    return row(f"recall@{TOP} ({how})", float(np.mean(recalls)), "", note=note, details=seconds)


def _rows(index: VideoIndex, vector: NDArray[np.float32]) -> pa.Table:
    (matches,) = index.search(vector, top=TOP)
    return pa.table(
        {
            "path": [str(window.path) for window in matches.windows],
            "start_ms": [round(window.window.start_seconds * 1000) for window in matches.windows],
        }
    )


def _additions(index: VideoIndex, made: Collection, row: Callable[..., Row]) -> Iterator[Row]:
    """Add one per cent more through the public writer, as runs of `centerclip index` do."""
    more = Collection(max(WINDOWS_PER_VIDEO, made.windows // 100), made.embed_size, 1)
    blocks = list(more.blocks())
    first = -(-made.windows // WINDOWS_PER_VIDEO)

    def add() -> None:
        number = first
        with index.writer() as writer:
            for block in blocks:
                videos = [
                    block[at : at + WINDOWS_PER_VIDEO] for at in range(0, len(block), WINDOWS_PER_VIDEO)
                ]
                writer.add([made_up_video(number + at, vectors) for at, vectors in enumerate(videos)])
                number += len(videos)
            writer.finish()

    yield row(
        f"{more.windows:,} more added", _cpu_seconds(add), "s", note="opening, checks and all; processor time"
    )
    yield _search_row(made, lambda vector: _rows(index, vector), row, f"{index.stats().search}, after adding")


def _finish(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.finish()


def _card(subject: Subject) -> ModelCard:
    from centerclip.embedding import VideoEncoder

    return VideoEncoder(subject.model, device="cpu").card()


def _cpu_seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began
