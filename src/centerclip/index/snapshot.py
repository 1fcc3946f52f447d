"""The windows of an index at one version, and the search over them.

Small collections are searched exactly, by one multiplication with a matrix in memory, which takes a tenth of
the store's own exact search (3 ms against 50 ms over 100,000 x 512); larger ones by the store's ANN index. A
snapshot never changes, so any number of threads may search it while a writer goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from centerclip.errors import QueryError
from centerclip.index.schema import WINDOW_COLUMNS, WINDOW_READ, StoredWindow, to_windows
from centerclip.index.sql import all_of, where_errors

__all__ = ["EXACT_LIMIT", "Matches", "Snapshot", "unit_vectors"]

EXACT_LIMIT = 100_000
"""Windows up to which a search is exact and in memory: 200 MB at E = 512."""

_SAMPLE = 4096
"""Windows that stand for all in the background of a large collection: the median's error is under 2 % of
the scores' spread."""
_PROBES = 64
"""Partitions looked at: all, up to a million windows. Where vectors have no large clusters, some of them hold
half of what is near."""
_CANDIDATES = 60
"""Windows at least whose true scores are read, as an ANN index rounds: of the 10 nearest among 1,000,000, the
first 10 by rounded score hold 8.8, the first 50 all. A search takes 26 ms for 50, 29 for 100."""

_TOGETHER = 64
"""Queries multiplied at once: their scores over 100,000 windows take 26 MB."""

_PIECE = 25_000
"""Vectors that a thread multiplies with one query, beside others."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What a search found for one query vector.

    `windows` are in descending order of score. `background` is the median score of the query over the
    whole index (a fixed sample of a large one), ignoring the condition: what an unrelated window scores.
    `sampled` is how many windows that median is taken over.
    """

    windows: tuple[StoredWindow, ...]
    background: float
    sampled: int


@dataclass(frozen=True, slots=True)
class _Vectors:
    """Vectors in memory: [N, E] float32, their row ids [N] ascending, and a number for each one's video."""

    matrix: NDArray[np.float32]
    row_ids: NDArray[np.int64]
    videos: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Windows near a query, nearest first: row ids, scores and videos, [C] each, and rows that were read."""

    row_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    videos: NDArray[Any]
    rows: pa.Table | None = None

    def take(self, places: NDArray[np.int64]) -> _Candidates:
        rows = None if self.rows is None else self.rows.take(places)
        return _Candidates(self.row_ids[places], self.scores[places], self.videos[places], rows)


@dataclass(frozen=True, slots=True)
class _Found:
    """The candidates that are one query's hits, its background, and how many windows that is of."""

    hits: _Candidates
    background: float
    sampled: int


class Snapshot:
    """One version of the table of windows.

    Args:
        table: a handle at that version, used by nobody else.
        embed_size: E.
    """

    def __init__(self, table: Any, embed_size: int) -> None:
        self._table = table
        self._embed_size = embed_size
        self._lock = Lock()
        self.version = int(table.version)

    @cached_property
    def count(self) -> int:
        return int(self._table.count_rows())

    @property
    def exact(self) -> bool:
        """Whether a search looks at every window."""
        return self.count <= EXACT_LIMIT or not self._table.list_indices()

    def search(
        self, vectors: NDArray[np.float32], top: int, *, where: str | None, per_video: int | None
    ) -> list[Matches]:
        """Find the `top` windows nearest to each of `vectors` [Q, E], unit length.

        At most `per_video` of them are of the same content; `where` restricts which are looked at.
        """
        if not self.count:
            return [Matches((), 0.0, 0) for _ in vectors]
        look = self._search_memory if self.count <= EXACT_LIMIT else self._search_store
        parts = (vectors[start : start + _TOGETHER] for start in range(0, len(vectors), _TOGETHER))
        return [matches for part in parts for matches in self._matches(look(part, top, where, per_video))]

    def rows(self, where: str) -> list[StoredWindow]:
        """The windows that meet a condition, in the order of path and time."""
        rows = self._table.search().where(where).select(list(WINDOW_READ)).to_arrow()
        rows = rows.sort_by([("path", "ascending"), ("start_ms", "ascending")])
        return to_windows(rows)

    def _search_memory(
        self, vectors: NDArray[np.float32], top: int, where: str | None, per_video: int | None
    ) -> list[_Found]:
        stored = self._all
        scores = _products(vectors, stored.matrix)  # [Q, N]
        allowed = self._allowed(stored.row_ids, where)
        found = []
        for row in scores:
            chosen = row if allowed is None else row[allowed]

            def best(wanted: int, chosen: NDArray[np.float32] = chosen) -> _Candidates:
                order = _descending(chosen, wanted)
                places = order if allowed is None else allowed[order]
                return _Candidates(stored.row_ids[places], chosen[order], stored.videos[places])

            found.append(_Found(_rank(best, top, per_video, len(chosen)), float(np.median(row)), len(row)))
        return found

    def _search_store(
        self, vectors: NDArray[np.float32], top: int, where: str | None, per_video: int | None
    ) -> list[_Found]:
        backgrounds = np.median(_products(vectors, self._sample.matrix), axis=1)  # [Q]
        sampled = len(self._sample.matrix)

        def look(vector: NDArray[np.float32], background: float) -> _Found:
            def best(wanted: int) -> _Candidates:
                return self._nearest(vector, wanted, where, whole=wanted < 2 * top)

            return _Found(_rank(best, top, per_video, self.count), float(background), sampled)

        if len(vectors) == 1:
            return [look(vectors[0], backgrounds[0])]
        with ThreadPoolExecutor() as pool:  # the store uses one thread per query
            return list(pool.map(look, vectors, backgrounds))

    def _nearest(
        self, vector: NDArray[np.float32], wanted: int, where: str | None, *, whole: bool
    ) -> _Candidates:
        """Ask the store, for `whole` rows where few will be dropped: to read them later takes longer.

        Of 1,000,000 windows the 75 nearest take 28 ms, whole 32, and reading 50 of them afterwards 10.
        """
        query = self._table.search(vector, vector_column_name="vector").distance_type("cosine")
        query = query.select([*(WINDOW_READ if whole else ["video_id"]), "_distance"]).with_row_id(True)
        query = query.limit(wanted).nprobes(_PROBES).refine_factor(math.ceil(_CANDIDATES / wanted))
        if where is not None:
            # As many more partitions as it takes to find enough rows that meet the condition.
            query = query.where(all_of(where), prefilter=True).maximum_nprobes(0)
        with where_errors(where, WINDOW_COLUMNS):
            rows = query.to_arrow()
        scores = 1 - rows["_distance"].to_numpy().astype(np.float32)
        row_ids = rows["_rowid"].to_numpy().astype(np.int64)
        videos = np.array(rows["video_id"].to_pylist())
        return _Candidates(row_ids, scores, videos, rows if whole else None)

    def _allowed(self, row_ids: NDArray[np.int64], where: str | None) -> NDArray[np.int64] | None:
        """Places in `row_ids` of the rows that meet the condition; None for all."""
        if where is None:
            return None
        with where_errors(where, WINDOW_COLUMNS):
            rows = self._table.search().where(all_of(where)).select(["path"]).with_row_id(True).to_arrow()
        wanted = rows["_rowid"].to_numpy().astype(np.int64)
        return np.flatnonzero(np.isin(row_ids, wanted))

    def _matches(self, found: Sequence[_Found]) -> list[Matches]:
        """Read the rows of all hits of which only the ids are known, at once."""
        unread = [one.hits.row_ids for one in found if one.hits.rows is None]
        row_ids = np.unique(np.concatenate(unread)) if unread else np.empty(0, np.int64)
        if len(row_ids):
            query = self._table.take_row_ids(row_ids.tolist()).select(list(WINDOW_READ))
            read = query.with_row_id().to_arrow().sort_by("_rowid")
        matches = []
        for one in found:
            rows = one.hits.rows
            if rows is None and len(one.hits.row_ids):
                rows = read.take(np.searchsorted(row_ids, one.hits.row_ids))
            windows = [] if rows is None else to_windows(rows, one.hits.scores.tolist())
            matches.append(Matches(tuple(windows), one.background, one.sampled))
        return matches

    @property
    def _all(self) -> _Vectors:
        with self._lock:
            return self._loaded

    @cached_property
    def _loaded(self) -> _Vectors:
        query = self._table.search().select(["vector", "video_id"]).with_row_id(True)
        return self._read(query.to_batches(8192), self.count)

    @property
    def _sample(self) -> _Vectors:
        with self._lock:
            return self._sampled

    @cached_property
    def _sampled(self) -> _Vectors:
        places = np.random.default_rng(0).choice(self.count, size=min(_SAMPLE, self.count), replace=False)
        query = (
            self._table.take_offsets(np.sort(places).tolist()).select(["vector", "video_id"]).with_row_id()
        )
        return self._read(query.to_batches(), len(places))

    def _read(self, batches: Any, count: int) -> _Vectors:
        """Copy batches into arrays made beforehand, so that only one copy of the vectors is in memory."""
        matrix = np.empty((count, self._embed_size), dtype=np.float32)
        row_ids = np.empty(count, dtype=np.int64)
        videos = np.empty(count, dtype=np.int64)
        numbers: dict[str, int] = {}
        at = 0
        for batch in batches:
            here = slice(at, at + batch.num_rows)
            matrix[here] = batch["vector"].flatten().to_numpy().reshape(-1, self._embed_size)
            row_ids[here] = batch["_rowid"].to_numpy()
            videos[here] = [numbers.setdefault(name, len(numbers)) for name in batch["video_id"].to_pylist()]
            at += batch.num_rows
        return _Vectors(matrix, row_ids, videos)


def unit_vectors(vectors: ArrayLike, embed_size: int) -> NDArray[np.float32]:
    """Scale query vectors, [Q, E] or [E] of any length, to [Q, E] float32 of unit length.

    Raises:
        QueryError: one is zero, not finite or not of size E.
    """
    wide = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
    if wide.ndim != 2 or wide.shape[1] != embed_size:
        raise QueryError(
            f"query vectors of shape {wide.shape}, but the index holds vectors of size {embed_size}: "
            "encode the query with the index's own model"
        )
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise QueryError("the query's vector is zero or not finite, so nothing is near to it: ask otherwise")
    units: NDArray[np.float32] = (wide / lengths).astype(np.float32)
    return units


def _descending(scores: NDArray[np.float32], wanted: int) -> NDArray[np.int64]:
    """Places of the `wanted` highest scores, highest first; equal ones in their own order."""
    if wanted < len(scores):
        places = np.sort(np.argpartition(-scores, wanted - 1)[:wanted])
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")]


def _products(vectors: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot products [Q, N] of vectors [Q, E] with the rows of a matrix [N, E]."""
    if len(vectors) > 1:
        products: NDArray[np.float32] = vectors @ matrix.T
        return products
    # Not by BLAS, which is no faster with one vector, and whose threads then spin on for 20 ms each and keep
    # cores from the store.
    scores = np.empty((1, len(matrix)), dtype=np.float32)

    def multiply(start: int) -> None:
        rows = slice(start, start + _PIECE)
        np.einsum("ne,e->n", matrix[rows], vectors[0], out=scores[0, rows])

    starts = range(0, len(matrix), _PIECE)
    if len(starts) == 1:
        multiply(0)
    else:
        with ThreadPoolExecutor(len(starts)) as pool:
            list(pool.map(multiply, starts))
    return scores


def _rank(best: Callable[[int], _Candidates], top: int, per_video: int | None, total: int) -> _Candidates:
    """Ask for more and more candidates until `top` remain with at most `per_video` of each video."""
    wanted = min(top if per_video is None else top + top // 4, total)
    while True:
        found = best(wanted)
        kept = np.array(_first_of_each(found.videos.tolist(), per_video)[:top], dtype=np.int64)
        if len(kept) == top or len(found.videos) < wanted or wanted == total:
            return found.take(kept)
        wanted = min(4 * wanted, total)


def _first_of_each(videos: Sequence[Any], per_video: int | None) -> list[int]:
    seen: dict[Any, int] = {}
    kept = []
    for place, video in enumerate(videos):
        seen[video] = seen.get(video, 0) + 1
        if per_video is None or seen[video] <= per_video:
            kept.append(place)
    return kept
