"""The windows of an index at one version, and the search over them.

Small collections are searched exactly, by multiplying with a matrix in memory, which takes a tenth of the
store's own exact search (3 ms instead of 50 ms over 100,000 x 512); larger ones by the store's ANN index. A
snapshot never changes, so any number of threads may search it while a writer works.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from centerclip.index.ann import default_probes
from centerclip.index.matrix import VectorMatrix
from centerclip.index.recorded import fitted, readable
from centerclip.index.restriction import Restriction
from centerclip.index.schema import WINDOW_READ, StoredWindow, milliseconds, stored_path, to_windows
from centerclip.index.sql import Condition, any_of
from centerclip.index.vectors import descending, products
from centerclip.index.windows import Matches, Windows

__all__ = ["EXACT_LIMIT", "Snapshot", "first_of_each"]

EXACT_LIMIT = 100_000
"""Up to this number of windows, a search is exact and in memory: 200 MB at E = 512."""

_SAMPLE = 4096
"""Windows that determine the background of a large collection: the median's error is under 2 % of the scores'
standard deviation."""
_CANDIDATES = 60
"""Minimum number of windows to read true scores for, because an ANN index rounds them: of the 10 nearest
among 1,000,000, the first 10 by rounded score hold 8.8, the first 50 all. A search takes 26 ms for 50, 29
for 100."""
_TOGETHER = 64
"""Queries multiplied at once: their scores over 100,000 windows take 26 MB."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Windows near a query, nearest first: row ids, scores and contents [C], and their rows if already
    read."""

    row_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    videos: NDArray[Any]
    rows: pa.Table | None = None

    def take(self, places: NDArray[np.int64]) -> _Candidates:
        rows = None if self.rows is None else self.rows.take(places)
        return _Candidates(self.row_ids[places], self.scores[places], self.videos[places], rows)


_Found = tuple[_Candidates, float, int]
"""One query's hits, its background, and the number of windows that the background is computed from."""


class Snapshot(Windows):
    """One version of the table of windows.

    Args:
        table: a handle at that version that nobody else uses.
        embed_size: E.
        before: an earlier version of the same index, whose vectors aren't read again.
    """

    def __init__(self, table: Any, embed_size: int, before: Windows | None = None) -> None:
        self._table = table
        self._embed_size = embed_size
        self._before = before.known if isinstance(before, Snapshot) else None
        self._lock = Lock()
        self.version = int(table.version)

    @cached_property
    def _columns(self) -> list[str]:
        return readable(self._table, WINDOW_READ)

    @cached_property
    def count(self) -> int:
        return int(self._table.count_rows())

    @cached_property
    def _probes(self) -> int:
        return default_probes(self.count)

    @property
    def exact(self) -> bool:
        return self.count <= EXACT_LIMIT or not self._table.list_indices()

    def nearest(
        self, vectors: NDArray[np.float32], top: int, *, only: Restriction, per_video: int | None
    ) -> list[Matches]:
        if not self.count:
            return [Matches((), 0.0, 0) for _ in vectors]
        look = self._search_memory if self.count <= EXACT_LIMIT else self._search_store
        parts = (vectors[start : start + _TOGETHER] for start in range(0, len(vectors), _TOGETHER))
        return [matches for part in parts for matches in self._matches(look(part, top, only, per_video))]

    def contents_near(self, vectors: NDArray[np.float32], top: int) -> list[list[str]]:
        """As the base class does, without reading rows."""
        if not self.count:
            return [[] for _ in vectors]
        look = self._search_memory if self.count <= EXACT_LIMIT else self._search_store
        found: list[list[str]] = []
        for start in range(0, len(vectors), _TOGETHER):
            for hits, _, _ in look(vectors[start : start + _TOGETHER], top, Restriction(), 1):
                numbered = hits.videos.dtype.kind == "i"
                found.append(self.vectors.names(hits.videos) if numbered else hits.videos.tolist())
        return found

    def rows(self, where: Condition) -> list[StoredWindow]:
        rows = self._table.search().where(fitted(self._table, where)).select(self._columns).to_arrow()
        rows = rows.sort_by([("path", "ascending"), ("start_ms", "ascending")])
        return to_windows(rows)

    def covering(self, spans: Sequence[tuple[Path, float, float]]) -> list[StoredWindow | None]:
        """As the base class does, without reading the vectors of other windows."""
        paths = sorted({stored_path(path) for path, _, _ in spans})
        query = self._table.search().where(any_of("path", paths).sql).select(["path", "start_ms", "end_ms"])
        places: dict[str, list[tuple[int, int, int]]] = {}
        for row in query.with_row_id(True).to_arrow().to_pylist():
            places.setdefault(row["path"], []).append((row["start_ms"], row["end_ms"], row["_rowid"]))
        chosen: list[int | None] = []
        for path, start, end in spans:
            first, last = milliseconds(start), milliseconds(end)
            shared = [
                (min(last, window_end) - max(first, window_start), -window_start, row_id)
                for window_start, window_end, row_id in places.get(stored_path(path), ())
                if window_start < last and window_end > first
            ]
            chosen.append(max(shared)[2] if shared else None)
        row_ids = sorted({row_id for row_id in chosen if row_id is not None})
        if not row_ids:
            return [None] * len(spans)
        read = self._table.take_row_ids(row_ids).select(list(WINDOW_READ)).with_row_id().to_arrow()
        windows = dict(zip(read["_rowid"].to_pylist(), to_windows(read), strict=True))
        return [None if row_id is None else windows[row_id] for row_id in chosen]

    def _search_memory(
        self, vectors: NDArray[np.float32], top: int, only: Restriction, per_video: int | None
    ) -> list[_Found]:
        stored = self.vectors
        scores = products(vectors, stored.vectors)  # [Q, N]
        allowed = self._allowed(stored.row_ids, only)
        found = []
        for row in scores:
            chosen = row if allowed is None else row[allowed]

            def best(wanted: int, chosen: NDArray[np.float32] = chosen) -> _Candidates:
                order = descending(chosen, wanted)
                places = order if allowed is None else allowed[order]
                return _Candidates(stored.row_ids[places], chosen[order], stored.numbers[places])

            found.append((_rank(best, top, per_video, len(chosen)), float(np.median(row)), len(row)))
        return found

    def _search_store(
        self, vectors: NDArray[np.float32], top: int, only: Restriction, per_video: int | None
    ) -> list[_Found]:
        sample = self.vectors.vectors
        backgrounds = np.median(products(vectors, sample), axis=1)  # [Q]

        def look(vector: NDArray[np.float32], background: float) -> _Found:
            def best(wanted: int) -> _Candidates:
                return self._nearest(vector, wanted, only, whole=wanted < 2 * top)

            return _rank(best, top, per_video, self.count), float(background), len(sample)

        if len(vectors) == 1:
            return [look(vectors[0], backgrounds[0])]
        with ThreadPoolExecutor() as pool:  # the store uses one thread per query
            return list(pool.map(look, vectors, backgrounds))

    def _nearest(
        self, vector: NDArray[np.float32], wanted: int, only: Restriction, *, whole: bool
    ) -> _Candidates:
        """Ask the store; for `whole` rows if few will be dropped, because reading them later takes longer.

        Of 1,000,000 windows, the 75 nearest take 28 ms, whole 32 ms; reading 50 of them afterwards takes 10
        ms.
        """
        query = self._table.search(vector, vector_column_name="vector").distance_type("cosine")
        query = query.select([*(self._columns if whole else ["video_id"]), "_distance"]).with_row_id(True)
        query = query.limit(wanted).nprobes(self._probes).refine_factor(math.ceil(_CANDIDATES / wanted))
        if only.where is not None:
            # As many further partitions as it takes to find enough rows that meet the condition.
            query = query.where(fitted(self._table, only.where), prefilter=True).maximum_nprobes(0)
        rows = only.read(query)
        scores = 1 - rows["_distance"].to_numpy().astype(np.float32)
        row_ids = rows["_rowid"].to_numpy().astype(np.int64)
        videos = np.array(rows["video_id"].to_pylist())
        return _Candidates(row_ids, scores, videos, rows if whole else None)

    def _allowed(self, row_ids: NDArray[np.int64], only: Restriction) -> NDArray[np.int64] | None:
        """Return the places in `row_ids` of the rows that meet the condition; None for all."""
        if only.where is None:
            return None
        # The store returns at least one column, so the smallest.
        where = fitted(self._table, only.where)
        rows = only.read(self._table.search().where(where).select(["start_ms"]).with_row_id(True))
        wanted = rows["_rowid"].to_numpy().astype(np.int64)
        return np.flatnonzero(np.isin(row_ids, wanted))

    def _matches(self, found: Sequence[_Found]) -> list[Matches]:
        """Read the rows of all hits that aren't read yet, at once."""
        unread = [hits.row_ids for hits, _, _ in found if hits.rows is None]
        row_ids = np.unique(np.concatenate(unread)) if unread else np.empty(0, np.int64)
        if len(row_ids):
            query = self._table.take_row_ids(row_ids.tolist()).select(self._columns)
            read = query.with_row_id().to_arrow().sort_by("_rowid")
        matches = []
        for hits, background, sampled in found:
            rows = hits.rows
            if rows is None and len(hits.row_ids):
                rows = read.take(np.searchsorted(row_ids, hits.row_ids))
            windows = [] if rows is None else to_windows(rows, hits.scores.tolist())
            matches.append(Matches(tuple(windows), background, sampled))
        return matches

    @property
    def vectors(self) -> VectorMatrix:
        """All vectors of a small collection, or a fixed sample of a large one; read once."""
        with self._lock:
            return self._read

    @property
    def known(self) -> VectorMatrix | None:
        """The vectors in memory, maybe those of an earlier version; None if there are none."""
        read: VectorMatrix | None = self.__dict__.get("_read")
        return read or self._before

    @cached_property
    def _read(self) -> VectorMatrix:
        count, offsets = self.count, None
        if count > EXACT_LIMIT:
            count = min(_SAMPLE, count)
            offsets = np.sort(np.random.default_rng(0).choice(self.count, size=count, replace=False))
        read = VectorMatrix.read(self._table, count, self._embed_size, offsets=offsets, before=self._before)
        self._before = None
        return read


def _rank(best: Callable[[int], _Candidates], top: int, per_video: int | None, total: int) -> _Candidates:
    """Request more and more candidates until `top` remain with at most `per_video` of the same content."""
    wanted = min(top if per_video is None else top + top // 4, total)
    while True:
        found = best(wanted)
        kept = np.array(first_of_each(found.videos.tolist(), per_video)[:top], dtype=np.int64)
        if len(kept) == top or len(found.videos) < wanted or wanted == total:
            return found.take(kept)
        wanted = min(4 * wanted, total)


def first_of_each(videos: Sequence[Any], per_video: int | None) -> list[int]:
    """Return the places of the first `per_video` of each content, in order; all for None."""
    seen: dict[Any, int] = {}
    kept = []
    for place, video in enumerate(videos):
        seen[video] = seen.get(video, 0) + 1
        if per_video is None or seen[video] <= per_video:
            kept.append(place)
    return kept
