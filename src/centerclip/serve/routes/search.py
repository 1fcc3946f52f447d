"""Search by words, by a picture or video, and by a moment of the library."""

from __future__ import annotations

import shutil
from functools import partial
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, HTTPException, Query, UploadFile

from centerclip import search
from centerclip.api import SearchResult
from centerclip.errors import VideoError
from centerclip.index.columns import WINDOW_COLUMNS
from centerclip.records import Sort
from centerclip.search import Term, parse_query
from centerclip.serve.results import Filters
from centerclip.serve.routes.windows import VideoId, window_at
from centerclip.serve.services import Services, Use
from centerclip.serve.uploads import kind_of

__all__ = ["Wanted", "Words", "ordinary_score", "parse_words", "prepare", "router"]

router = APIRouter(prefix="/api", tags=["search"])

Words = Annotated[
    str,
    Query(
        description="Words to add and subtract: `beach + sunset - people`. They are looked for in pictures "
        "and in what is said; `seen:` and `spoken:` before words choose one.",
        examples=["a red car"],
    ),
]
Top = Annotated[int, Query(ge=1, le=100, description="Maximum number of hits per page.")]
PerVideo = Annotated[int, Query(ge=1, le=100, description="Maximum number of hits per video.")]
_Seconds = Annotated[float | None, Query(ge=0, le=1e9, description="Length of the whole file in seconds.")]
Day = Annotated[
    str,
    Query(
        max_length=40,
        description="When the video was recorded: an ISO date, or date and time; inclusive.",
        examples=["2026-05-31"],
    ),
]

_WHERE = (
    f"A condition on {', '.join(WINDOW_COLUMNS)}: comparisons (`=`, `<>`, `<`, `<=`, `>`, `>=`, `like`, "
    "`ilike`, `in`, `between`, `is null`) joined by `and`, `or`, `not` and parentheses. Text is in single "
    "quotes. `path` is a hit's `folder` and `name` joined by a slash. `recorded` and `modified_seconds` can "
    "be compared with an ISO date."
)


Folder = Annotated[str, Query(max_length=1000, description="One of the `folders` in /api/stats.")]


def _filters(
    folder: Folder = "",
    min_duration: _Seconds = None,
    max_duration: _Seconds = None,
    after: Day = "",
    before: Day = "",
    where: Annotated[str, Query(max_length=1000, description=_WHERE, examples=["width >= 1920"])] = "",
) -> Filters:
    return Filters(folder, min_duration, max_duration, after, before, where)


Wanted = Annotated[Filters, Depends(_filters)]
Order = Annotated[
    Sort,
    Query(description="By `score`, or by when the videos were recorded: newest (`date`) or `oldest` first."),
]


@router.get("/search")
async def search_words(
    services: Use,
    filters: Wanted,
    q: Words = "",
    like: Annotated[VideoId | None, Query(description="Find more like a moment of this video.")] = None,
    start: Annotated[float, Query(ge=0, le=1e9, description="With `like`: the moment, in seconds.")] = 0.0,
    top: Top = 24,
    per_video: PerVideo = 3,
    sort: Order = "score",
    cursor: Annotated[str, Query(max_length=60, description="`next` of the previous page.")] = "",
) -> SearchResult:
    """Find the moments that match a sentence (`q`), resemble another moment (`like` and `start`), or both.

    The pages of a search don't change while the library grows: `next` continues the list of the first page.
    """
    if not q.strip() and like is None:
        if cursor:
            return await services.reading.run(partial(services.results.resume, cursor, top))
        raise HTTPException(422, "give words in `q`, a video in `like`, or both")
    most, find = services.settings.max_hits, services.results.find

    def find_like(video_id: str, words: search.Query | None) -> SearchResult:
        window = window_at(services, video_id, start)
        begin, where = window.window.start_seconds, filters.condition(services.library)
        key = ["like", video_id, begin, str(words), per_video, str(where)]
        similar = services.searcher.similar
        look = partial(similar, video_id, begin, top=most, per_video=per_video, where=where, words=words)
        name = f"more like {window.path.name} {q}".strip()
        note = _note(services, words) if words else ""
        return find(name, key, look, top=top, cursor=cursor, note=note, sort=sort)

    def find_words(query: search.Query) -> SearchResult:
        where = filters.condition(services.library)
        key = ["words", str(query), per_video, str(where)]
        look = partial(services.searcher.search, query, top=most, per_video=per_video, where=where)
        note, ordinary = _note(services, query), ordinary_score(services, query)
        return find(q, key, look, top=top, cursor=cursor, note=note, sort=sort, ordinary_score=ordinary)

    query = parse_words(services, q) if q.strip() else None
    if query is not None:
        await prepare(services, query)
    if like is not None:
        return await services.reading.run(partial(find_like, like, query))
    assert query is not None
    return await services.reading.run(partial(find_words, query))


@router.post("/search")
async def search_file(
    services: Use,
    filters: Wanted,
    file: Annotated[UploadFile, File(description="A picture or a video.")],
    q: Annotated[str, Form(description="Words to add to it or subtract from it: `- people`.")] = "",
    top: Top = 24,
    per_video: PerVideo = 3,
    sort: Order = "score",
) -> SearchResult:
    """Find the moments that resemble a picture or video. `GET` with the cursor returns further pages."""
    terms = parse_words(services, q).terms if q.strip() else ()
    suffix = kind_of(file.file)

    def find() -> SearchResult:
        where = filters.condition(services.library)
        digest = file_digest(file.file, "sha256").hexdigest()  # type: ignore[arg-type]  # it is a binary file
        file.file.seek(0)
        with TemporaryDirectory(prefix="centerclip-") as folder:
            path = Path(folder, f"upload{suffix}")
            with path.open("wb") as target:
                shutil.copyfileobj(file.file, target)
            look = partial(
                services.searcher.search,
                search.Query((Term(path), *terms)),
                top=services.settings.max_hits,
                per_video=per_video,
                where=where,
            )
            key = ["file", digest, str(search.Query(terms)) if terms else None, per_video, str(where)]
            try:
                shown, note = _query_text(file, q), _note(services, search.Query(terms)) if terms else ""
                return services.results.find(shown, key, look, top=top, cursor="", note=note, sort=sort)
            except VideoError as error:
                raise VideoError(str(error).replace(str(path), "the file")) from error

    if terms:
        await prepare(services, search.Query(terms))
    return await services.looking.run(find)


def parse_words(services: Services, text: str) -> search.Query:
    """Parse a query, which never names files of the server.

    Raises:
        HTTPException: it is too long (422).
        QueryError: it can't be parsed.
    """
    if len(text) > services.settings.max_query_length:
        raise HTTPException(422, f"a query may have at most {services.settings.max_query_length} characters")
    return parse_query(text, files=False)


async def prepare(services: Services, query: search.Query) -> None:
    """Encode the sentences of a query, together with those of other requests."""
    terms = query.seen.terms if query.seen else ()
    await services.texts.prepare([term.content for term in terms if isinstance(term.content, str)])


def _note(services: Services, query: search.Query) -> str:
    """A remark on a query for the visitor."""
    return search.language_note(query, services.encoder.name)


def ordinary_score(services: Services, query: search.Query) -> float | None:
    """What an ordinary sentence scores; None for words that are said, and for a query that subtracts, whose
    scores are lower anyway."""
    if query.seen is None or any(term.weight < 0 for term in query.terms):
        return None
    return services.examples.ordinary_score()


def _query_text(file: Any, words: str) -> str:
    """The query as the visitor sees it: the file's name, and the words beside it."""
    name = Path(file.filename or "upload").name[:100]
    return f"{name} {words}".strip()
