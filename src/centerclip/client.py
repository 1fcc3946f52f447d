"""A client for `centerclip serve`. Needs httpx and pydantic, but no torch and no index."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from centerclip.api import (
    CueList,
    ErrorBody,
    ExportFormat,
    ExportMoment,
    ExportRequest,
    Failure,
    FoundMoment,
    Job,
    JobList,
    JobRequest,
    JobStarted,
    LibraryStats,
    MonthList,
    ScoreCurve,
    SearchResult,
    Video,
    VideoList,
)
from centerclip.atomic import atomic_file
from centerclip.errors import CenterCLIPError

__all__ = ["Client", "ServerError"]

_M = TypeVar("_M", bound=BaseModel)


class ServerError(CenterCLIPError):
    """The server answered with an error, or not at all.

    Attributes:
        status: the HTTP status; 0 if there was no answer.
        code: the server's error code, such as `busy`.
        retry_after_seconds: how long the server asks to wait before trying again, if it does.
    """

    def __init__(
        self, message: str, *, status: int = 0, code: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class Client:
    """Talks to a server. Use it in a `with` block, or `close` it. All methods raise `ServerError`.

        with Client("http://127.0.0.1:8000") as client:
            for hit in client.search("a dog catches a frisbee").hits:
                print(hit.name, hit.start, hit.end)

    Args:
        address: of the server.
        token: the server's token, if it has one; by default the environment variable CENTERCLIP_TOKEN.
        timeout_seconds: how long to wait for an answer.
        transport: an httpx transport, instead of the network.
    """

    def __init__(
        self,
        address: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        timeout_seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        token = token or os.environ.get("CENTERCLIP_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=address, headers=headers, timeout=timeout_seconds, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def search(self, query: str, *, top: int = 24, cursor: str = "", **filters: Any) -> SearchResult:
        """Find the moments that match a query.

        Args:
            query: words to add and subtract: `beach + sunset - people`. `spoken:` before words
                looks for them only in what is said, `seen:` only in pictures.
            top: maximum number of hits per page.
            cursor: `next` of the previous page.
            **filters: per_video, folder, min_duration, max_duration, after, before, where, sort.
        """
        params = {"q": query, "top": top, "cursor": cursor, **filters}
        return self._get("/api/search", SearchResult, params)

    def similar(
        self,
        video_id: str,
        start: float,
        *,
        words: str = "",
        top: int = 24,
        cursor: str = "",
        **filters: Any,
    ) -> SearchResult:
        """Find moments that resemble one of another video: a hit's `video_id` and `window_start`.

        `words` are added to it or, after a minus, subtracted from it.
        """
        params = {"like": video_id, "start": start, "q": words, "top": top, "cursor": cursor, **filters}
        return self._get("/api/search", SearchResult, params)

    def search_file(
        self, path: str | Path, *, words: str = "", top: int = 24, **filters: Any
    ) -> SearchResult:
        """Find the moments that resemble a picture or video file, with words added or subtracted."""
        with Path(path).open("rb") as file:
            answer = self._send(
                "POST",
                "/api/search",
                params=_without_empty({"top": top, **filters}),
                files={"file": (Path(path).name, file)},
                data={"q": words},
            )
        return _parse(answer, SearchResult)

    def hits(self, query: str, **filters: Any) -> Iterator[FoundMoment]:
        """All hits of a query, page by page, from the library as it is now."""
        page = self.search(query, **filters)
        yield from page.hits
        while page.next:
            page = self.search(query, cursor=page.next, **filters)
            yield from page.hits

    def videos(self, *, offset: int = 0, limit: int = 50, **filters: Any) -> VideoList:
        """The library's files, indexed and failed.

        Args:
            offset, limit: which of them.
            **filters: folder, after, before, sort.
        """
        return self._get("/api/videos", VideoList, {"offset": offset, "limit": limit, **filters})

    def months(self) -> MonthList:
        """How many videos were recorded in each month."""
        return self._get("/api/months", MonthList)

    def video(self, video_id: str) -> Video:
        """Information about a video."""
        return self._get(f"/api/videos/{video_id}", Video)

    def curve(self, video_id: str, query: str) -> ScoreCurve:
        """A query's scores along a video."""
        return self._get(f"/api/videos/{video_id}/curve", ScoreCurve, {"q": query})

    def cues(self, video_id: str) -> CueList:
        """What is said in a video, in order of time."""
        return self._get(f"/api/videos/{video_id}/cues", CueList)

    def stats(self) -> LibraryStats:
        """What the library contains."""
        return self._get("/api/stats", LibraryStats)

    def index(self, *, prune: bool = False, retry_failed: bool = False) -> str:
        """Start to bring the library up to date; return the job's id."""
        request = JobRequest(prune=prune, retry_failed=retry_failed)
        return _parse(self._send("POST", "/api/index", json=request.model_dump()), JobStarted).job

    def jobs(self) -> JobList:
        """The jobs that the server remembers, the newest first."""
        return self._get("/api/index", JobList)

    def job(self, job: str) -> Job:
        """The progress of a job."""
        return self._get(f"/api/index/{job}", Job)

    def cancel(self, job: str) -> Job:
        """Stop a job after the current batch."""
        return _parse(self._send("DELETE", f"/api/index/{job}"), Job)

    def watch(self, job: str) -> Iterator[Job]:
        """Follow a job until it ends."""
        try:
            with self._http.stream("GET", f"/api/index/{job}/events") as answer:
                if answer.is_error:
                    answer.read()
                    raise _error(answer)
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        yield _read(answer, line.removeprefix("data: "), Job)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def thumbnail(self, hit: FoundMoment) -> bytes:
        """A hit's picture, a JPEG."""
        return self._send("GET", hit.thumbnail).content

    def subtitles(self, hit: FoundMoment) -> str:
        """What is said in a hit's video, as WebVTT; empty if nothing is known."""
        return self._send("GET", hit.subtitles).text if hit.subtitles else ""

    def excerpt(self, hit: FoundMoment) -> bytes:
        """A hit's moment, an MP4."""
        return self._send("GET", hit.excerpt).content

    def reduction(self, hit: FoundMoment) -> bytes:
        """A PNG of the hit's window with the patches that the model drops dimmed."""
        params = {"start": hit.window_start}
        return self._send("GET", f"/api/videos/{hit.video_id}/tokens", params=params).content

    def download(self, hit: FoundMoment, target: str | Path) -> None:
        """Download the whole file that contains a hit."""
        self._save(target, "GET", hit.media)

    def clip(self, hit: FoundMoment, target: str | Path, *, pad: float = 0.0) -> None:
        """Download a hit's moment in full quality, with `pad` seconds before and after it."""
        self._save(target, "GET", hit.clip, params={**dict(parse_qsl(urlsplit(hit.clip).query)), "pad": pad})

    def export(
        self,
        hits: Iterable[FoundMoment],
        format: ExportFormat,
        target: str | Path,
        *,
        pad: float = 0.0,
        title: str = "",
        root: str = "",
        timeout_seconds: float = 3600.0,
    ) -> list[Failure]:
        """Download moments as clips in an archive, as one reel, or as an edit list.

        Args:
            hits: at least one, in the order wanted.
            format: zip, reel, edl, fcpxml, otio or csv.
            target: written over if it exists; either whole or not there.
            pad: seconds to add before and after each moment.
            title: of an edit list.
            root: for edit lists: the folder of the library on this machine.
            timeout_seconds: how long to wait while the server makes a file.

        Returns:
            What could not be exported. An archive lists it in its `failed.txt` instead.
        """
        moments = [ExportMoment(video_id=hit.video_id, start=hit.start, end=hit.end) for hit in hits]
        wanted = ExportRequest(format=format, moments=moments, pad=pad, title=title, root=root)
        patience = httpx.Timeout(self._http.timeout.connect, read=timeout_seconds)
        answer = self._save(target, "POST", "/api/export", json=wanted.model_dump(), timeout=patience)
        said = json.loads(unquote(answer.headers.get("centerclip-failed", "%5B%5D")))
        return [Failure.model_validate(one) for one in said]

    def _save(self, target: str | Path, method: str, path: str, **more: Any) -> httpx.Response:
        """Write an answer to a file, all of it or nothing."""
        try:
            with self._http.stream(method, path, **more) as answer:
                if answer.is_error:
                    answer.read()
                    raise _error(answer)
                with atomic_file(Path(target)) as file:
                    for part in answer.iter_bytes():
                        file.write(part)
                return answer
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _get(self, path: str, shape: type[_M], params: dict[str, Any] | None = None) -> _M:
        return _parse(self._send("GET", path, params=_without_empty(params or {})), shape)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.is_error:
            raise _error(answer)
        return answer

    def _unreachable(self, error: httpx.HTTPError) -> ServerError:
        reason = str(error) or type(error).__name__
        return ServerError(f"no answer from {self._http.base_url} ({reason}): is `centerclip serve` running?")


def _without_empty(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None and value != ""}


def _parse(answer: httpx.Response, shape: type[_M]) -> _M:
    return _read(answer, answer.content, shape)


def _read(answer: httpx.Response, text: str | bytes, shape: type[_M]) -> _M:
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        raise ServerError(
            f"{answer.url.host} doesn't answer like `centerclip serve`: check the address, and "
            "that client and server have the same version",
            status=answer.status_code,
        ) from error


def _error(answer: httpx.Response) -> ServerError:
    try:
        error = ErrorBody.model_validate_json(answer.content).error
        code, message = error.code, error.message
    except ValidationError:
        code, message = "error", f"{answer.url.host} answered {answer.status_code} {answer.reason_phrase}"
    after = answer.headers.get("retry-after", "")
    seconds = float(after) if after.isdigit() else None
    return ServerError(message, status=answer.status_code, code=code, retry_after_seconds=seconds)
