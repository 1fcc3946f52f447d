"""`Searcher`: a query in, ranked moments out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import QueryError
from centerclip.index import Matches, VideoIndex
from centerclip.index.columns import WINDOW_COLUMNS
from centerclip.index.conditions import parse_condition
from centerclip.index.restriction import Restriction
from centerclip.index.snapshot import first_of_each
from centerclip.index.sql import Condition, all_of, differs
from centerclip.index.vectors import unit_vectors
from centerclip.records import Sort
from centerclip.search.encoders import QueryVectors, as_query_encoder
from centerclip.search.fusion import fuse
from centerclip.search.hits import Hit, Said, said_hit, seen_hits
from centerclip.search.moments import join_moments
from centerclip.search.query import Query, Term, parse_query
from centerclip.search.spoken import SaidMoment, find_said

__all__ = ["Curve", "Hit", "Said", "Searcher", "best_score"]

_WINDOWS = 4
"""Windows to examine per hit: the best one, and neighbors into which its moment may continue."""
_CANDIDATES = 50
"""Minimum number of windows to examine, because a window of several scenes ranks below its best moment."""
_IN_MEMORY = 3200
"""Windows of several queries to examine together: 32 MB at E = 512 and 4 segments."""

QueryLike: TypeAlias = str | Path | Query | NDArray[np.float32]
"""Text in the query language, a file, a parsed query, or an embedding [E]."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A query's scores along a file: `scores` [n] of the segments from `starts` [n] to `ends` [n].

    `background` is what an unrelated window scores, and `best` the best score in the whole index.
    """

    path: Path
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    scores: NDArray[np.float32]
    background: float
    best: float


class Searcher:
    """Searches an index with the model that made it; safe to use from many threads.

    Args:
        index: each search sees what any process has written to it.
        model: a `VideoEncoder`, a `CenterCLIP`, or any `QueryEncoder`; don't change its weights afterwards.
        seconds: time limit of each read for a search; None for no limit.

    Raises:
        FingerprintError: the index was made by another model.
    """

    def __init__(self, index: VideoIndex, model: Any, *, seconds: float | None = None) -> None:
        self.index = index
        self._seconds = seconds
        encoder = as_query_encoder(model)
        self.vectors = QueryVectors(encoder)
        """Encodes the queries; callers can use it to encode sentences in advance."""
        self._fingerprint = encoder.fingerprint  # once, because checking for changed weights takes 3 ms
        self._check()

    def search(
        self,
        query: QueryLike,
        *,
        top: int = 10,
        per_video: int | None = 1,
        where: str | Condition | None = None,
        tail: bool = False,
        files: bool = True,
        sort: Sort = "score",
    ) -> list[Hit]:
        """Find the moments that answer a query.

        The windows with the nearest embeddings are cut to their best runs of segments, touching runs are
        joined, and these moments are ranked by their own scores (see `moments`). Hits closer to the
        background than to the best hit form an irrelevant tail, which is dropped if the index has enough
        windows (20) to determine the background.

        If the index has cues, words of the query are also looked for in what is said, and both rankings are
        fused (see `spoken`).

        Args:
            query: text in the query language (see `query`), a file, a parsed query, or an embedding [E].
            top: maximum number of hits.
            per_video: maximum number of moments of the same content; None for no limit.
            where: condition on the windows' columns (`duration_seconds > 60 and path like '%/2024/%'`); see
                `index.conditions`.
            tail: keep the tail.
            files: whether a text query may name files; see `parse_query`.
            sort: the order of the `top` best hits; it doesn't change which ones they are.

        Returns:
            Hits, by default in descending order of score; none while the index is empty.

        Raises:
            QueryError: the query or the condition can't be understood, or spoken words are asked for and the
                index has none.
            FingerprintError: the index was made by another model.
            VideoError: a file of the query can't be read.
        """
        options: Any = {"top": top, "per_video": per_video, "where": where, "tail": tail, "files": files}
        return self.search_many([query], sort=sort, **options)[0]

    def search_many(
        self,
        queries: Sequence[QueryLike],
        *,
        top: int = 10,
        per_video: int | None = 1,
        where: str | Condition | None = None,
        tail: bool = False,
        files: bool = True,
        sort: Sort = "score",
    ) -> list[list[Hit]]:
        """Answer queries together, each exactly as `search` does, which explains the arguments and errors.

        Sentences go through the model in batches, and vectors through the index. Memory grows only with the
        number of hits.
        """
        self._check()
        only = parse_condition(where, WINDOW_COLUMNS)  # before anything is encoded
        parsed = [query if isinstance(query, np.ndarray) else _parsed(query, files) for query in queries]
        said = [self._said(query, top, per_video, only, tail) for query in parsed]
        seen = [at for at, query in enumerate(parsed) if not isinstance(query, Query) or query.seen]
        vectors = dict(zip(seen, self._encode([parsed[at] for at in seen], files), strict=True))
        alone = [at for at in seen if not said[at]]
        answers = dict(
            zip(alone, self._find([vectors[at] for at in alone], top, per_video, only, tail), strict=True)
        )
        for at, moments in enumerate(said):
            if at not in answers:
                answers[at] = self._fuse(vectors.get(at), moments, top, per_video, only, tail)
        return [_sorted(answers[at], sort) for at in range(len(parsed))]

    def _said(
        self,
        query: Query | NDArray[np.float32],
        top: int,
        per_video: int | None,
        where: Condition | None,
        tail: bool,
    ) -> list[SaidMoment]:
        """Return the moments in which a query's words are said, best first."""
        if isinstance(query, np.ndarray) or not query.spoken:
            return []
        asked = any(term.sense == "spoken" for term in query.terms)
        if not len(self.index.spoken):
            if asked and self.index.model is not None:
                raise QueryError(
                    "the index has no words to look for with spoken: put subtitles beside the videos "
                    "(film.srt) and run `centerclip index PATH`, or add --speech MODEL to it"
                )
            return []
        find = partial(find_said, self.index, query.spoken, strict=not asked, per_video=per_video, tail=tail)
        return find(top=top, only=Restriction.within(where, self._seconds))

    def _fuse(
        self,
        vector: NDArray[np.float32] | None,
        said: Sequence[SaidMoment],
        top: int,
        per_video: int | None,
        where: Condition | None,
        tail: bool,
    ) -> list[Hit]:
        """Return the hits of a query that is said, and seen unless `vector` is None."""
        spoken = [said_hit(moment, said[0].score, vector) for moment in said]
        seen: list[Hit] = []
        if vector is not None:
            # More than `top`, because a moment that is also said may rank low.
            each = None if per_video is None else _WINDOWS * per_video
            seen = self._find([vector], max(_CANDIDATES, top), each, where, tail)[0]
        return fuse(seen, spoken, top=top, per_video=per_video)

    def similar(
        self,
        video_id: str,
        start_seconds: float,
        *,
        top: int = 10,
        per_video: int | None = 1,
        where: str | Condition | None = None,
        tail: bool = False,
        words: Query | None = None,
    ) -> list[Hit]:
        """Find windows in other videos that resemble a window of the index.

        Args:
            video_id, start_seconds: a hit's `video_id` and `window_start`.
            top, per_video, where, tail: as for `search`.
            words: added to the window's embedding.

        Raises:
            QueryError: the index has no such window, or the condition can't be used.
        """
        vector = self.likeness(video_id, start_seconds, words)
        others = all_of(parse_condition(where, WINDOW_COLUMNS), differs("video_id", video_id))
        return self._find([vector], top, per_video, others, tail)[0]

    def likeness(
        self, video_id: str, start_seconds: float, words: Query | None = None
    ) -> NDArray[np.float32]:
        """Return the embedding [E] of a window of the index with the terms of `words` added to it.

        Raises:
            QueryError: the index has no such window.
        """
        windows = self.index.windows(video_id, start_seconds)
        if not windows:
            raise QueryError(
                f"the index has no window of video {video_id!r} that starts at {start_seconds:g} seconds: "
                "take both from a hit"
            )
        vector = windows[0].vector
        if words is None:
            return vector
        if words.seen is None:
            raise QueryError("spoken words can't be added to a moment: use words for what is seen")
        return self.vectors.encode([words.seen], beside=vector)[0]

    def curve(self, query: QueryLike, video_id: str, *, files: bool = True) -> Curve:
        """Score a query along all segments of a video.

        Raises:
            QueryError: the index has no such video, or the query can't be understood.
        """
        self._check()
        windows = self.index.windows(video_id)
        if not windows:
            raise QueryError(f"the index has no video {video_id!r}: take it from a hit")
        (vector,) = self._encode([query], files)
        (matches,) = self.index.search(vector, top=_CANDIDATES, seconds=self._seconds)
        return Curve(
            path=windows[0].path,
            starts=np.concatenate([window.bounds[:-1] for window in windows]),
            ends=np.concatenate([window.bounds[1:] for window in windows]),
            scores=np.concatenate([window.segments @ vector for window in windows]),
            background=matches.background,
            best=best_score(matches, vector),
        )

    def _check(self) -> None:
        """Check the model again, because the index may have been created since."""
        if self.index.model is not None:
            self.index.check(self._fingerprint, "the model in use")

    def _encode(self, queries: Sequence[QueryLike], files: bool) -> list[NDArray[np.float32]]:
        """Return each query's vector [E] of unit length; texts and files are encoded together."""
        parsed = [query if isinstance(query, np.ndarray) else _parsed(query, files) for query in queries]
        seen = [query.seen for query in parsed if isinstance(query, Query)]
        if None in seen:
            raise QueryError("the query has only spoken words, but pictures are asked for: give others")
        encoded = iter(self.vectors.encode([query for query in seen if query is not None]))
        return [next(encoded) if isinstance(query, Query) else self._unit(query) for query in parsed]

    def _unit(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        model = self.index.model
        return vector if model is None else unit_vectors(vector, model.embed_size)[0]

    def _find(
        self,
        vectors: Sequence[NDArray[np.float32]],
        top: int,
        per_video: int | None,
        where: Condition | None,
        tail: bool,
    ) -> list[list[Hit]]:
        """Examine more and more windows until `top` moments are found for each vector."""
        each = None if per_video is None else _WINDOWS * per_video
        answers: dict[int, list[Hit]] = {}
        wanted = max(_CANDIDATES, _WINDOWS * top)
        while waiting := [place for place in range(len(vectors)) if place not in answers]:
            size = max(1, _IN_MEMORY // wanted)
            for places in (waiting[start : start + size] for start in range(0, len(waiting), size)):
                chosen = np.stack([vectors[place] for place in places])  # [Q, E]
                found = self.index.search(
                    chosen, top=wanted, where=where, per_video=each, seconds=self._seconds
                )
                for place, matches in zip(places, found, strict=True):
                    moments = join_moments(matches.windows, vectors[place], matches.background)
                    contents = [moment.window.video_id for moment in moments]
                    moments = [moments[kept] for kept in first_of_each(contents, per_video)]
                    if len(moments) >= top or len(matches.windows) < wanted:
                        answers[place] = seen_hits(moments[:top], matches, tail)
            wanted *= 2
        return [answers[place] for place in range(len(vectors))]


def best_score(matches: Matches, vector: NDArray[np.float32]) -> float:
    """Return the score of the best segment of the windows found, at least one."""
    return max(float((window.segments @ vector).max()) for window in matches.windows)


def _parsed(query: str | Path | Query, files: bool) -> Query:
    if isinstance(query, Query):
        return query
    if isinstance(query, Path):
        return Query((Term(query),))
    return parse_query(query, files=files)


def _sorted(hits: list[Hit], sort: Sort) -> list[Hit]:
    """Sort hits, which are in descending order of score and keep it where they are equal."""
    if sort == "score":
        return hits
    return sorted(hits, key=lambda hit: hit.recorded_seconds * (1 if sort == "oldest" else -1))
