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
from centerclip.index.schema import stored_path
from centerclip.index.store import Store
from centerclip.lab.bench.collection import TOP, WINDOWS_PER_VIDEO, Collection
from centerclip.lab.bench.report import Row
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject
from centerclip.lab.bench.timing import Spread
from centerclip.records import EncodedVideo, EncodedWindow, VideoInfo, Window

__all__ = ["measure_sizes"]

_WINDOW_MS = 12_000
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
    filled = _cpu_seconds(lambda: _fill(index, made))
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
            int(Path(path).stem) * WINDOWS_PER_VIDEO + start // _WINDOW_MS
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
                writer.add([_video(number + at, vectors) for at, vectors in enumerate(videos)])
                number += len(videos)
            writer.finish()

    yield row(
        f"{more.windows:,} more added", _cpu_seconds(add), "s", note="opening, checks and all; processor time"
    )
    yield _search_row(made, lambda vector: _rows(index, vector), row, f"{index.stats().search}, after adding")


def _fill(index: VideoIndex, made: Collection) -> None:
    """Write the rows in bulk: through the writer it would take a Python object per window."""
    store = Store(index.location)
    tables = {name: store.newest(name) for name in ("windows", "pictures", "videos")}
    schema = tables["windows"].schema

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for block in made.blocks():
            yield from _window_rows(start, block, schema).to_batches()
            start += len(block)

    tables["windows"].add(pa.RecordBatchReader.from_batches(schema, batches()))
    counts = [min(WINDOWS_PER_VIDEO, made.windows - at) for at in range(0, made.windows, WINDOWS_PER_VIDEO)]
    videos = np.arange(len(counts))
    files = _file_columns(videos)
    columns = files | {
        "state": ["done"] * len(counts),
        "reason": [""] * len(counts),
        "windows": counts,
        "indexed_seconds": [0.0] * len(counts),
        "recorded_source": [None] * len(counts),
        "recorded_zone": [None] * len(counts),
    }
    pictures = {name: files[name] for name in ("path", "video_id")}
    pictures |= {"start_ms": [0] * len(counts), "jpeg": [b""] * len(counts)}
    tables["pictures"].add(pa.table(pictures, schema=tables["pictures"].schema))
    tables["videos"].add(pa.table(columns, schema=tables["videos"].schema))
    store.commit()


def _finish(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.finish()


def _window_rows(start: int, block: NDArray[np.float32], schema: pa.Schema) -> pa.Table:
    numbers = np.arange(start, start + len(block))
    files = _file_columns(numbers // WINDOWS_PER_VIDEO)
    begins = (numbers % WINDOWS_PER_VIDEO) * _WINDOW_MS
    size = block.shape[1]
    offsets = pa.array(np.arange(len(block) + 1, dtype=np.int32))
    bounds = np.stack([begins, begins + _WINDOW_MS], 1).ravel()
    arrays = {
        "start_ms": begins,
        "end_ms": begins + _WINDOW_MS,
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), size),
        "segments": pa.ListArray.from_arrays(
            pa.array(np.arange(len(block) + 1, dtype=np.int32) * size),
            pa.array(block.astype(np.float16).ravel()),
        ),
        "bounds_ms": pa.ListArray.from_arrays(
            pa.array(2 * offsets.to_numpy()), pa.array(bounds.astype(np.int64))
        ),
    }
    return pa.table(files | arrays, schema=schema)


def _file_columns(numbers: NDArray[np.int64]) -> dict[str, Any]:
    listed = numbers.tolist()
    count = len(listed)
    return {
        "path": [stored_path(f"/videos/{number:08d}.mp4") for number in listed],
        "video_id": [f"{number:032x}" for number in listed],
        "duration_seconds": [WINDOWS_PER_VIDEO * _WINDOW_MS / 1000] * count,
        "size_bytes": [10_000_000 + number for number in listed],
        "modified_seconds": [float(number) for number in listed],
        "width": [640] * count,
        "height": [360] * count,
        "frame_rate": [25.0] * count,
        "codec": ["h264"] * count,
        "recorded_seconds": [float(number) for number in listed],
    }


def _video(number: int, vectors: NDArray[np.float32]) -> EncodedVideo:
    described = {name: values[0] for name, values in _file_columns(np.array([number])).items()}
    described.pop("recorded_seconds")
    info = VideoInfo(**{**described, "path": Path(described["path"])})
    windows = []
    for at, vector in enumerate(vectors):
        window = Window(at * _WINDOW_MS / 1000, (at + 1) * _WINDOW_MS / 1000)
        bounds = np.array([window.start_seconds, window.end_seconds])
        pictures = ((0.0, b""),) if at == 0 else ()
        windows.append(EncodedWindow(window, vector, vector[None], bounds, pictures))
    return EncodedVideo(info, tuple(windows))


def _card(subject: Subject) -> ModelCard:
    from centerclip.embedding import VideoEncoder

    return VideoEncoder(subject.model, device="cpu").card()


def _cpu_seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began
