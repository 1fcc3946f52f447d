"""Lists of results that hold still while a visitor pages through them.

A search makes the whole list once; a cursor names the list and a place in it. What changes in the index
makes new lists, and those that visitors hold go on as they were until they are the longest unused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import blake2b
from urllib.parse import urlencode

from centerclip import search
from centerclip.api import Hit, SearchResult
from centerclip.errors import QueryError
from centerclip.index import StoredVideo
from centerclip.index.sql import all_of
from centerclip.serve.library import Library, is_playable
from centerclip.serve.problems import Problem
from centerclip.serve.recent import Recent

__all__ = ["Filters", "Results"]

_LISTS = 256


@dataclass(frozen=True, slots=True)
class Filters:
    """What a hit's file must be like; None and an empty text ask for nothing.

    `after` and `before` are days or instants of change, both inclusive, in the server's time where they
    name no zone.
    """

    folder: str = ""
    min_duration: float | None = None
    max_duration: float | None = None
    after: str = ""
    before: str = ""
    where: str = ""

    def condition(self, library: Library) -> str | None:
        """As SQL over the columns of windows.

        Raises:
            QueryError: a date that can't be read.
        """
        parts = [library.within(self.folder)] if self.folder.strip("/") else []
        if self.min_duration is not None:
            parts.append(f"duration_seconds >= {self.min_duration!r}")
        if self.max_duration is not None:
            parts.append(f"duration_seconds <= {self.max_duration!r}")
        if self.after:
            parts.append(f"modified_seconds >= {_instant('after', self.after).timestamp()!r}")
        if self.before:
            last = _instant("before", self.before)
            whole_day = "T" not in self.before and " " not in self.before.strip()
            parts.append(
                f"modified_seconds < {(last + timedelta(days=1)).timestamp()!r}"
                if whole_day
                else f"modified_seconds <= {last.timestamp()!r}"
            )
        return all_of(*parts, self.where.strip() or None)


class Results:
    """Makes, keeps and pages lists of hits; safe to use from many threads.

    Args:
        library: knows the hits' files.
        on_cached: called for a list that was there already.
    """

    def __init__(self, library: Library, on_cached: Callable[[], None] = lambda: None) -> None:
        self._library = library
        self._on_cached = on_cached
        self._lists: Recent[str, SearchResult] = Recent(_LISTS)

    def find(
        self,
        query: str,
        asked: Sequence[object],
        look: Callable[[], list[search.Hit]],
        *,
        top: int,
        cursor: str,
    ) -> SearchResult:
        """A page of the list for a query, made where it isn't there yet.

        Args:
            query: as the visitor is told it.
            asked: all that the list depends on, apart from the index.
            look: does the search.
            top: hits on the page.
            cursor: from the page before, or empty.

        Raises:
            Problem: the cursor's list is no longer there, and the index has changed since (410).
        """
        version = self._library.index.version
        key = blake2b(json.dumps([version, *asked]).encode(), digest_size=12).hexdigest()
        name, offset = _read_cursor(cursor) if cursor else (key, 0)
        found = self._lists.get(name)
        if found is None:
            if name != key:
                raise Problem(410, "the library has changed since this list was made: search again")
            found = SearchResult(query=query, version=version, hits=self._hits(look()), next=None)
            self._lists.put(key, found)
        else:
            self._on_cached()
        return _page(found, name, offset, top)

    def resume(self, cursor: str, top: int) -> SearchResult:
        """A further page of a list of which only the cursor is at hand.

        Raises:
            Problem: it is no longer there (410).
        """
        name, offset = _read_cursor(cursor)
        found = self._lists.get(name)
        if found is None:
            raise Problem(410, "this list of results is no longer there: search again")
        return _page(found, name, offset, top)

    def _hits(self, hits: Sequence[search.Hit]) -> list[Hit]:
        videos = self._library.videos(hit.video_id for hit in hits)
        # A file forgotten between the search and this look at it has nothing to show.
        known = [hit for hit in hits if hit.video_id in videos]
        return [self._hit(hit, rank, videos[hit.video_id]) for rank, hit in enumerate(known, start=1)]

    def _hit(self, hit: search.Hit, rank: int, video: StoredVideo) -> Hit:
        moment = urlencode({"start": round(hit.start, 3), "end": round(hit.end, 3)})
        return Hit(
            rank=rank,
            video_id=hit.video_id,
            name=video.info.path.name,
            folder=self._library.folder_of(video.info.path),
            start=hit.start,
            end=hit.end,
            score=hit.score,
            strength=hit.strength,
            window_start=hit.window_start,
            window_end=hit.window_end,
            duration=hit.duration_seconds,
            width=video.info.width,
            height=video.info.height,
            modified=video.info.modified_seconds,
            playable=is_playable(video),
            thumbnail=f"/thumbnails/{hit.video_id}?t={hit.window_start!r}",
            media=f"/media/{hit.video_id}",
            clip=f"/clips/{hit.video_id}?{moment}",
        )


def _page(found: SearchResult, name: str, offset: int, top: int) -> SearchResult:
    end = offset + top
    following = f"{name}.{end}" if end < len(found.hits) else None
    return found.model_copy(update={"hits": found.hits[offset:end], "next": following})


def _read_cursor(cursor: str) -> tuple[str, int]:
    name, _, offset = cursor.partition(".")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 10):
        raise Problem(422, "the cursor is not one of this server's: take it from `next`")
    return name, int(offset)


def _instant(name: str, text: str) -> datetime:
    try:
        if len(text.strip()) <= 10:
            return datetime.combine(date.fromisoformat(text.strip()), time()).astimezone()
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError, OSError):
        raise QueryError(f"{name}={text!r} is no date: write it as 2026-05-31") from None
