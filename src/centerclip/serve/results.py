"""Lists of results that don't change while a visitor pages through them.

A search makes the whole list once; a cursor names the list and a place in it. When the index changes,
searches make new lists, and the old ones stay as they were until they are the least recently used.
"""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from threading import Lock
from urllib.parse import urlencode

from fastapi import HTTPException

from centerclip import search
from centerclip.api import FoundMoment, Said, SearchResult
from centerclip.index import StoredVideo
from centerclip.index.columns import WINDOW_COLUMNS, Column
from centerclip.index.conditions import parse_condition, recorded_between
from centerclip.index.sql import Condition, all_of, compare
from centerclip.records import Sort
from centerclip.serve.library import Library, is_playable, media_type

__all__ = ["Filters", "Results"]

_KEPT_HITS = 12_000
"""Of all lists together: 50 long ones, which take 2 MB as they are kept."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a hit's file must be like; None and empty texts don't matter.

    `after` and `before` limit when the video was recorded, see `recorded_between`.
    """

    folder: str = ""
    min_duration: float | None = None
    max_duration: float | None = None
    after: str = ""
    before: str = ""
    where: str = ""

    def condition(self, library: Library, columns: Mapping[str, Column] = WINDOW_COLUMNS) -> Condition | None:
        """As a condition on windows, or on what else has these `columns`; None if there is none.

        In `where`, the path is the one that visitors see.

        Raises:
            QueryError: a date can't be parsed, or `where` can't be used.
        """
        own = parse_condition(self.where, columns, {"path": library.shown_path()})
        parts = [library.within(self.folder), own, recorded_between(self.after, self.before)]
        if self.min_duration is not None:
            parts.append(compare("duration_seconds", ">=", self.min_duration))
        if self.max_duration is not None:
            parts.append(compare("duration_seconds", "<=", self.max_duration))
        return all_of(*parts)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A list as compressed JSON, which takes 36 kB for 240 hits instead of 1.1 MB, and 2 ms to read.

    The objects of a list, 30 per hit, would also lie between those of requests, whose memory then can't be
    returned to the system.
    """

    size: int
    data: bytes

    @classmethod
    def of(cls, found: SearchResult) -> _Kept:
        # A list without hits takes room too.
        return cls(1 + len(found.hits), zlib.compress(found.model_dump_json().encode(), level=1))

    def read(self) -> SearchResult:
        return SearchResult.model_validate_json(zlib.decompress(self.data))


class Results:
    """Makes lists of hits, keeps them and splits them into pages. Safe to use from many threads.

    Args:
        library: knows the hits' files.
        on_cached: called when a list is used again.
    """

    def __init__(self, library: Library, on_cached: Callable[[], None] = lambda: None) -> None:
        self._library = library
        self._on_cached = on_cached
        self._lock = Lock()
        self._lists: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0
        """Of all lists together."""

    def find(
        self,
        query: str,
        key: Sequence[object],
        look: Callable[[], list[search.Hit]],
        *,
        top: int,
        cursor: str,
        note: str = "",
        sort: Sort = "score",
        ordinary_score: float | None = None,
    ) -> SearchResult:
        """Return a page of the list for a query; search if there is no such list yet.

        Args:
            query: as the visitor sees it.
            key: everything that the list depends on, apart from the index.
            look: does the search.
            top: hits per page.
            cursor: from the previous page, or empty.
            note: a remark on the query.
            sort: the order of the whole list; ranks stay those by score.
            ordinary_score: hits that score less are weak; None if that isn't known.

        Raises:
            HTTPException: the cursor's list is gone, and the index has changed since (410).
        """
        index = self._library.index
        version = index.version
        current = blake2b(json.dumps([index.id, version, sort, *key]).encode(), digest_size=12).hexdigest()
        name, offset = _read_cursor(cursor) if cursor else (current, 0)
        found = self._kept(name)
        if found is None:
            if name != current:
                raise HTTPException(410, "the library has changed since this search: search again")
            hits = self._hits(look(), ordinary_score)
            if sort != "score":
                hits.sort(key=lambda hit: hit.recorded, reverse=sort == "date")
            found = SearchResult(query=query, version=version, hits=hits, next=None, note=note)
            self._keep(name, found)
        else:
            self._on_cached()
        return self._page(found, name, offset, top)

    def resume(self, cursor: str, top: int) -> SearchResult:
        """Return another page of a list, given only the cursor.

        Raises:
            HTTPException: the list is gone (410).
        """
        name, offset = _read_cursor(cursor)
        found = self._kept(name)
        if found is None:
            raise HTTPException(410, "these results are no longer available: search again")
        return self._page(found, name, offset, top)

    def _page(self, found: SearchResult, name: str, offset: int, top: int) -> SearchResult:
        end = offset + top
        following = f"{name}.{end}" if end < len(found.hits) else None
        hits = found.hits[offset:end]
        missing = self._library.missing(hit.video_id for hit in hits)  # now, not when the list was made
        hits = [hit.model_copy(update={"missing": hit.video_id in missing}) for hit in hits]
        return found.model_copy(update={"hits": hits, "next": following})

    def _kept(self, name: str) -> SearchResult | None:
        with self._lock:
            if name in self._lists:
                self._lists.move_to_end(name)
            kept = self._lists.get(name)
        return kept.read() if kept else None

    def _keep(self, name: str, found: SearchResult) -> None:
        kept = _Kept.of(found)
        with self._lock:
            replaced = self._lists.pop(name, None)  # another request has looked too
            self._lists[name] = kept
            self._size += kept.size - (replaced.size if replaced else 0)
            while self._size > _KEPT_HITS and len(self._lists) > 1:
                self._size -= self._lists.popitem(last=False)[1].size

    def _hits(self, hits: Sequence[search.Hit], ordinary: float | None) -> list[FoundMoment]:
        videos = self._library.copies(hit.video_id for hit in hits)
        heard = self._library.index.spoken.known(videos)
        # A file that was removed from the index since the search has nothing to show.
        known = [hit for hit in hits if hit.video_id in videos]
        return [
            self._hit(
                hit,
                rank,
                videos[hit.video_id],
                weak=ordinary is not None and hit.score < ordinary and hit.reasons == ("seen",),
                is_heard=hit.video_id in heard,
            )
            for rank, hit in enumerate(known, start=1)
        ]

    def _hit(
        self, hit: search.Hit, rank: int, copies: Sequence[StoredVideo], *, weak: bool, is_heard: bool
    ) -> FoundMoment:
        video, *others = copies
        moment = urlencode({"start": round(hit.start, 3), "end": round(hit.end, 3)})
        return FoundMoment(
            rank=rank,
            video_id=hit.video_id,
            name=video.info.path.name,
            folder=self._library.folder_of(video.info.path),
            start=hit.start,
            end=hit.end,
            score=hit.score,
            strength=hit.strength,
            reasons=list(hit.reasons),
            said=[Said(**asdict(said)) for said in hit.said],
            weak=weak,
            copies=[self._library.name_of(other.info.path) for other in others],
            window_start=hit.window_start,
            window_end=hit.window_end,
            duration=hit.duration_seconds,
            width=video.info.width,
            height=video.info.height,
            frame_rate=video.info.frame_rate,
            modified=video.info.modified_seconds,
            recorded=video.info.recorded_seconds,
            recorded_source=video.info.recorded_source,
            recorded_zone=video.info.recorded_zone,
            missing=False,
            playable=is_playable(video),
            media_type=media_type(video),
            thumbnail=f"/thumbnails/{hit.video_id}?t={round(hit.peak, 3)!r}",
            media=f"/media/{hit.video_id}",
            subtitles=f"/media/{hit.video_id}/subtitles.vtt" if is_heard else "",
            excerpt=f"/excerpts/{hit.video_id}?{moment}",
            clip=f"/clips/{hit.video_id}?{moment}",
        )


def _read_cursor(cursor: str) -> tuple[str, int]:
    name, _, offset = cursor.partition(".")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 10):
        raise HTTPException(422, f"invalid cursor {cursor!r}: take it from `next` of the previous page")
    return name, int(offset)
