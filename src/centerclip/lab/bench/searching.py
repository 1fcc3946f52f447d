"""Search over many windows: speed and recall compared with exact search."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.embedding import VideoEncoder
from centerclip.index import ModelCard, VideoIndex
from centerclip.lab.bench.report import Row, at_least, at_most
from centerclip.lab.bench.rivals import exact_search
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import SEED, Subject
from centerclip.lab.bench.timing import Spread
from centerclip.records import EncodedVideo, EncodedWindow, VideoInfo, Window
from centerclip.search import Searcher

__all__ = ["measure_search"]

_SEGMENTS = 4
_WINDOWS_PER_VIDEO = 10
_WINDOW_SECONDS = 12.0
_VIDEOS_PER_BATCH = 1000
_TOP = 10
_QUERIES_PER_TURN = 50
_COSINE = 0.3
"""Of a query with its video: as low as that of a sentence with the video it describes."""
_RECALL_GOAL, _P95_GOAL = at_least(0.95), at_most(0.05)


def measure_search(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Fill indexes with synthetic videos through the public writer, and search them."""
    queries = 20 if setting.quick else 200
    encoder = VideoEncoder(subjects[0].model, device=setting.device, precision=setting.precision)
    for windows in (1_000, 2_000) if setting.quick else setting.windows:
        setting.tell(f"search, {windows:,} windows: writing")
        place = setting.folder / f"index-{windows}"
        began = time.perf_counter()
        vectors = _fill(VideoIndex(place), encoder.card(), windows)
        built_seconds = time.perf_counter() - began
        setting.tell(f"search, {windows:,} windows: searching")
        yield from _measure(Searcher(VideoIndex(place), encoder), vectors, queries, built_seconds)
        del vectors
        shutil.rmtree(place)


def _measure(
    searcher: Searcher, vectors: NDArray[np.float32], queries: int, built_seconds: float
) -> Iterator[Row]:
    asked = _queries(vectors, queries)
    exact = [set(exact_search(vectors, query, _TOP).tolist()) for query in asked]
    recalls = []
    for query, true in zip(asked, exact, strict=True):
        (matches,) = searcher.index.search(query, top=_TOP)
        found = {_number(window.path, window.window) for window in matches.windows}
        recalls.append(len(found & true) / _TOP)
    search = partial(searcher.search, top=_TOP)
    first = _seconds(search, asked)
    here: list[float] = []
    rival: list[float] = []
    # Many queries per turn: after a matrix product, numpy's threads spin for some 20 ms and would slow down
    # the next search here.
    for start in range(0, queries, _QUERIES_PER_TURN):
        turn = asked[start : start + _QUERIES_PER_TURN]
        here += _seconds(search, turn)
        rival += _seconds(partial(exact_search, vectors, top=_TOP), turn)
    count = len(vectors)
    stats = searcher.index.stats()
    yield Row(
        "search",
        f"recall@{_TOP} over {count:,} windows ({stats.search})",
        Spread.of([float(np.mean(recalls))]),
        "",
        against="exact search",
        goal=_RECALL_GOAL,
        note=f"{queries} queries with a cosine of {_COSINE} to their video",
        details={"windows": count, "queries": queries},
    )
    yield Row(
        "search",
        f"95th percentile of search time over {count:,} windows",
        Spread.of([float(np.quantile(here, 0.95))]),
        "s",
        against="exact search in numpy",
        ours=float(np.median(here)),
        rival=float(np.median(rival)),
        goal=_P95_GOAL,
        note=f"including moments; {stats.size_bytes / 1e9:.2g} GB, written in {built_seconds:.0f} s",
        details={"windows": count, "built_seconds": built_seconds, "size_bytes": stats.size_bytes},
    )
    yield Row(
        "search",
        f"95th percentile over {count:,} windows, first time asked",
        Spread.of([float(np.quantile(first, 0.95))]),
        "s",
        against="asked again, as above",
        ours=float(np.median(first)),
        rival=float(np.median(here)),
        note="read from disk if the system has dropped the files from its cache",
        details={"windows": count},
    )


def _seconds(search: Callable[[NDArray[np.float32]], object], queries: NDArray[np.float32]) -> list[float]:
    taken = []
    for query in queries:
        began = time.perf_counter()
        search(query)
        taken.append(time.perf_counter() - began)
    return taken


def _fill(index: VideoIndex, card: ModelCard, windows: int) -> NDArray[np.float32]:
    """Write windows as an indexing run does, and return their vectors [N, E] by number."""
    rng = np.random.default_rng(SEED)
    index.bind(card)
    written = []
    videos = windows // _WINDOWS_PER_VIDEO
    with index.writer() as writer:
        for start in range(0, videos, _VIDEOS_PER_BATCH):
            vectors, segments = _synthetic(rng, min(_VIDEOS_PER_BATCH, videos - start), card.embed_size)
            writer.add([_video(start + at, vectors[at], segments[at]) for at in range(len(vectors))])
            written.append(vectors.reshape(-1, card.embed_size))
        writer.finish()
    return np.concatenate(written)


def _synthetic(
    rng: np.random.Generator, videos: int, embed_size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows [V, W, E] and segments [V, W, S, E], of unit length.

    The cosine of a window with its video and of a segment with its window is about 0.8.
    """
    centers = rng.standard_normal((videos, 1, embed_size), np.float32)
    noise = rng.standard_normal((videos, _WINDOWS_PER_VIDEO, embed_size), np.float32)
    vectors = _unit(centers + 0.75 * noise)
    parts = rng.standard_normal((videos, _WINDOWS_PER_VIDEO, _SEGMENTS, embed_size), np.float32)
    segments = _unit(vectors[:, :, None] + 0.75 * embed_size**-0.5 * parts)
    return vectors, segments


def _queries(vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """[Q, E], unit length: each has the cosine `_COSINE` with the mean of a random video's windows."""
    rng = np.random.default_rng(SEED + 1)
    videos = rng.choice(len(vectors) // _WINDOWS_PER_VIDEO, count, replace=False)
    about = _unit(vectors.reshape(-1, _WINDOWS_PER_VIDEO, vectors.shape[1])[videos].mean(1))
    away = rng.standard_normal(about.shape, np.float32)
    away = _unit(away - (away * about).sum(1, keepdims=True) * about)
    return _COSINE * about + np.float32((1 - _COSINE**2) ** 0.5) * away


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


def _video(number: int, vectors: NDArray[np.float32], segments: NDArray[np.float32]) -> EncodedVideo:
    info = VideoInfo(
        path=Path(f"/videos/{number:07d}.mp4"),
        video_id=f"{number:032x}",
        duration_seconds=_WINDOWS_PER_VIDEO * _WINDOW_SECONDS - number % 1000 / 100,
        width=640,
        height=360,
        frame_rate=25.0,
        codec="h264",
        size_bytes=10_000_000 + number,
        modified_seconds=float(number),
    )
    windows = []
    for at, (vector, parts) in enumerate(zip(vectors, segments, strict=True)):
        start, end = at * _WINDOW_SECONDS, (at + 1) * _WINDOW_SECONDS
        bounds = np.linspace(start, end, len(parts) + 1)
        windows.append(EncodedWindow(Window(start, end), vector, parts, bounds, ((start, b""),)))
    return EncodedVideo(info, tuple(windows))


def _number(path: Path, window: Window) -> int:
    """The row of a window in the matrix of all vectors."""
    return int(path.stem) * _WINDOWS_PER_VIDEO + round(window.start_seconds / _WINDOW_SECONDS)
