"""What runs and servers cost by the size of the index: with a few new files, it should hardly grow.

Each operation is measured in a process of its own. Files aren't looked at: walking folders takes time that
grows with the number of files in any case.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.index import ModelCard, VideoIndex
from centerclip.lab.bench.collection import Collection
from centerclip.lab.bench.filling import fill, made_up_stamp, made_up_video
from centerclip.lab.bench.processes import process_peak
from centerclip.lab.bench.report import Row
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject
from centerclip.lab.bench.timing import Spread
from centerclip.records import EncodedVideo
from centerclip.serve.library import Library

__all__ = ["measure_growth"]

_PER_VIDEO = 6
_EMBED_SIZE = 64
"""Little, because only a search reads vectors."""
_SEARCHES = 10


def measure_growth(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Make indexes of made-up videos, and measure what is done to each again and again."""
    card = ModelCard("growth", "made up", "none", "kmedoids", 12, _EMBED_SIZE, 12.0, "float")
    for windows in (1_000,) if setting.quick else setting.windows:
        place = setting.folder / f"growth-{windows}"
        setting.tell(f"growth, {windows:,} windows: writing")
        try:
            _make(place, card, windows)
            for what, prepare, times in _OPERATIONS:
                setting.tell(f"growth, {windows:,} windows: {what}")
                peak = process_peak(prepare, place, windows // _PER_VIDEO)
                yield Row(
                    "growth",
                    f"{what}, {windows:,} windows",
                    Spread.of([1000 * peak.cpu_seconds / times]),
                    "ms",
                    note=f"processor time; {peak.growth_bytes / 1e6:.0f} MB more memory",
                    details={"windows": windows, "growth_bytes": peak.growth_bytes},
                )
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _make(place: Path, card: ModelCard, windows: int) -> None:
    index = VideoIndex(place)
    index.bind(card)
    fill(index, Collection(windows, card.embed_size, 1), per_video=_PER_VIDEO)
    with index.writer() as writer:
        writer.add_roots(["/videos"])
        writer.finish()


def _opened(place: Path) -> VideoIndex:
    index = VideoIndex(place)
    len(index)  # loads the store's library
    return index


def _opening(place: Path, videos: int) -> Callable[[], object]:
    index = _opened(place)

    def run() -> None:
        with index.writer():
            pass

    return run


def _run(place: Path, videos: int, new: int) -> Callable[[], object]:
    """Do what `centerclip index` does once it has looked at the files, `new` of which the index lacks."""
    index = _opened(place)
    files = [made_up_stamp(number) for number in range(videos + new)]

    def run() -> None:
        with index.writer() as writer:
            changes = index.changes(files, roots=[Path("/videos")])
            if changes.new:
                writer.add([_new(int(file.path.stem)) for file in changes.new])
            writer.finish()

    return run


def _nothing_new(place: Path, videos: int) -> Callable[[], object]:
    return _run(place, videos, 0)


def _one_new(place: Path, videos: int) -> Callable[[], object]:
    return _run(place, videos, 1)


def _new_version(place: Path, videos: int) -> Callable[[], object]:
    """Do what a server does when another process has added a video."""
    index = VideoIndex(place)
    library = Library(index)

    def show() -> None:
        library.stats()
        library.folders()
        index.search(_query())

    show()
    other = VideoIndex(place)
    with other.writer() as writer:
        writer.add([_new(videos + 1)])
    return show


def _searching(place: Path, videos: int) -> Callable[[], object]:
    index = VideoIndex(place)
    index.search(_query())
    return lambda: [index.search(_query()) for _ in range(_SEARCHES)]


def _query() -> NDArray[np.float32]:
    return np.ones(_EMBED_SIZE, np.float32)


def _new(number: int) -> EncodedVideo:
    vectors = np.random.default_rng(number).standard_normal((_PER_VIDEO, _EMBED_SIZE)).astype(np.float32)
    return made_up_video(number, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


_OPERATIONS: tuple[tuple[str, Callable[[Path, int], Callable[[], object]], int], ...] = (
    ("opening for writing", _opening, 1),
    ("a run with nothing new", _nothing_new, 1),
    ("a run with one new file", _one_new, 1),
    ("a server's next version", _new_version, 1),
    ("a search", _searching, _SEARCHES),
)
"""What is measured, what prepares it, and how often it does it."""
