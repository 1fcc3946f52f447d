"""`Searcher`: a query in, ranked moments out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import QueryError
from centerclip.index import Matches, VideoIndex
from centerclip.index.snapshot import unit_vectors
from centerclip.index.sql import all_of, differs
from centerclip.search.encoders import QueryVectors, as_query_encoder
from centerclip.search.moments import Moment, is_related, join_moments, keep_per_video
from centerclip.search.query import Query, Term, parse_query

__all__ = ["Curve", "Hit", "Searcher"]

_WINDOWS = 4
"""Windows looked at for each hit wanted: the best and its neighbors, where its moment may go on."""
_CANDIDATES = 50
"""Windows looked at in any case, since a window of several scenes ranks below the best of its moments."""
_IN_MEMORY = 3200
"""Windows of several queries that are looked at together: 32 MB at E = 512 and 4 segments."""
_KNOWN_BACKGROUND = 20
"""Windows from which the median score of a collection says what an unrelated window scores."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A moment that answers a query.

    `start` and `end` are its seconds in the file at `path`; `window_start` and `window_end` those of the
    window it lies in (of a moment joined from several, the best one's). `score` is the cosine of the
    query with the moment's best segment, good for ranking only; `strength` is where it lies between the
    background (0, what an unrelated window scores) and the best hit (1). `rank` counts from 1.
    """

    path: Path
    start: float
    end: float
    score: float
    rank: int
    strength: float
    video_id: str
    window_start: float
    window_end: float
    duration_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The scores of a query along a file: `scores` [n] of its segments from `starts` [n] to `ends` [n]."""

    path: Path
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    scores: NDArray[np.float32]


class Searcher:
    """Searches an index with the model that made it; safe to use from many threads.

    Args:
        index: what to search; the next search sees what any process has written to it.
        model: a `VideoEncoder`, a `CenterCLIP`, or any `QueryEncoder`; don't change its weights afterwards.

    Raises:
        FingerprintError: the index was made by another model.
    """

    def __init__(self, index: VideoIndex, model: Any) -> None:
        self.index = index
        encoder = as_query_encoder(model)
        self.vectors = QueryVectors(encoder)
        """Encodes the queries; `encode_texts` lets a caller encode sentences before it searches for them."""
        self._fingerprint = encoder.fingerprint  # once: to look whether weights changed takes 3 ms
        self._check()

    def search(
        self,
        query: str | Path | Query | NDArray[np.float32],
        *,
        top: int = 10,
        per_video: int | None = 1,
        where: str | None = None,
        tail: bool = False,
        files: bool = True,
    ) -> list[Hit]:
        """Find the moments that answer a query.

        The windows whose embeddings are nearest are each cut to their best run of segments, runs that
        touch are joined, and these moments ranked by their own score (see `moments`). Hits nearer to the
        background than to the best hit are an irrelevant tail and left out, once the index has 20 windows
        to know its background by.

        Args:
            query: in the language of `query`, or a file, or a parsed query, or an embedding [E].
            top: maximum number of hits.
            per_video: maximum number of moments of the same content; None for no limit.
            where: SQL condition on the windows' columns (`duration_seconds > 60 and path like '%/2024/%'`).
            tail: keep the tail.
            files: whether a query may name files; see `parse_query`.

        Returns:
            Hits in descending order of score; none while the index is empty.

        Raises:
            QueryError: the query or the condition can't be understood.
            FingerprintError: the index was made by another model.
            VideoError: a file of the query can't be read.
        """
        return self.search_many([query], top=top, per_video=per_video, where=where, tail=tail, files=files)[0]

    def search_many(
        self,
        queries: Sequence[str | Path | Query | NDArray[np.float32]],
        *,
        top: int = 10,
        per_video: int | None = 1,
        where: str | None = None,
        tail: bool = False,
        files: bool = True,
    ) -> list[list[Hit]]:
        """Answer queries together, each exactly as `search` does.

        Their sentences go through the model in batches, and their vectors through the index. Memory
        grows with the hits only.

        Args:
            queries: as for `search`, whose other arguments hold for all of them.

        Returns:
            The hits of each query, in the order given.

        Raises:
            QueryError: one of the queries or the condition can't be understood.
            FingerprintError: the index was made by another model.
            VideoError: a file of a query can't be read.
        """
        self._check()
        return self._find(self._encode(queries, files), top, per_video, where, tail)

    def similar(
        self,
        video_id: str,
        start_seconds: float,
        *,
        top: int = 10,
        per_video: int | None = 1,
        where: str | None = None,
        tail: bool = False,
    ) -> list[Hit]:
        """Find more like a window of the index (a hit's `video_id` and `window_start`), in other videos.

        Raises:
            QueryError: the index has no such window, or the condition can't be used.
        """
        windows = self.index.windows(video_id, start_seconds)
        if not windows:
            raise QueryError(
                f"the index has no window of video {video_id!r} that starts at {start_seconds:g} seconds: "
                "take both from a hit"
            )
        others = all_of(where, differs("video_id", video_id))
        return self._find([windows[0].vector], top, per_video, others, tail)[0]

    def curve(
        self, query: str | Path | Query | NDArray[np.float32], video_id: str, *, files: bool = True
    ) -> Curve:
        """Score a query along all segments of a video.

        Raises:
            QueryError: the index has no such video, or the query can't be understood.
        """
        self._check()
        windows = self.index.windows(video_id)
        if not windows:
            raise QueryError(f"the index has no video {video_id!r}: take it from a hit")
        (vector,) = self._encode([query], files)
        return Curve(
            path=windows[0].path,
            starts=np.concatenate([window.bounds[:-1] for window in windows]),
            ends=np.concatenate([window.bounds[1:] for window in windows]),
            scores=np.concatenate([window.segments @ vector for window in windows]),
        )

    def _check(self) -> None:
        """The index may have been made since, or made again, with another model."""
        if self.index.model is not None:
            self.index.check(self._fingerprint, "the model in use")

    def _encode(
        self, queries: Sequence[str | Path | Query | NDArray[np.float32]], files: bool
    ) -> list[NDArray[np.float32]]:
        """[E] of unit length for each query; texts and files are encoded together."""
        parsed = [query if isinstance(query, np.ndarray) else _parsed(query, files) for query in queries]
        encoded = iter(self.vectors.encode([query for query in parsed if isinstance(query, Query)]))
        return [next(encoded) if isinstance(query, Query) else self._unit(query) for query in parsed]

    def _unit(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        model = self.index.model
        return vector if model is None else unit_vectors(vector, model.embed_size)[0]

    def _find(
        self,
        vectors: Sequence[NDArray[np.float32]],
        top: int,
        per_video: int | None,
        where: str | None,
        tail: bool,
    ) -> list[list[Hit]]:
        """Look at more and more windows until `top` moments are found for each vector."""
        each = None if per_video is None else _WINDOWS * per_video
        answers: dict[int, list[Hit]] = {}
        wanted = max(_CANDIDATES, _WINDOWS * top)
        while waiting := [place for place in range(len(vectors)) if place not in answers]:
            for places in _groups(waiting, max(1, _IN_MEMORY // wanted)):
                chosen = np.stack([vectors[place] for place in places])  # [Q, E]
                found = self.index.search(chosen, top=wanted, where=where, per_video=each)
                for place, matches in zip(places, found, strict=True):
                    moments = join_moments(matches.windows, vectors[place], matches.background)
                    moments = keep_per_video(moments, per_video)
                    if len(moments) >= top or len(matches.windows) < wanted:
                        answers[place] = _hits(moments[:top], matches, tail)
            wanted *= 2
        return [answers[place] for place in range(len(vectors))]


def _groups(places: list[int], size: int) -> Iterator[list[int]]:
    return (places[start : start + size] for start in range(0, len(places), size))


def _parsed(query: str | Path | Query, files: bool) -> Query:
    if isinstance(query, Query):
        return query
    if isinstance(query, Path):
        return Query((Term(query),))
    return parse_query(query, files=files)


def _hits(moments: Sequence[Moment], matches: Matches, tail: bool) -> list[Hit]:
    """Ranked hits, without the tail unless asked for."""
    if not moments:
        return []
    best = moments[0].score
    span = best - matches.background
    known = matches.sampled >= _KNOWN_BACKGROUND and span > 0
    hits = []
    for rank, moment in enumerate(moments, start=1):
        found = moment.window
        share = (moment.score - matches.background) / span if span > 0 else float(moment.score >= best)
        if known and not tail and not is_related(moment.score, best, matches.background):
            break
        hit = Hit(
            path=found.path,
            start=moment.start,
            end=moment.end,
            score=moment.score,
            rank=rank,
            strength=min(max(share, 0.0), 1.0),
            video_id=found.video_id,
            window_start=found.window.start_seconds,
            window_end=found.window.end_seconds,
            duration_seconds=found.duration_seconds,
        )
        hits.append(hit)
    return hits
