"""A client of `centerclip serve`: needs httpx and pydantic, and neither torch nor an index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from centerclip.api import (
    Curve,
    ErrorBody,
    Hit,
    Job,
    JobStarted,
    JobWanted,
    SearchResult,
    Stats,
    Video,
    VideoList,
)
from centerclip.errors import CenterCLIPError

__all__ = ["Client", "ServerError"]

_M = TypeVar("_M", bound=BaseModel)


class ServerError(CenterCLIPError):
    """An answer other than success, or none.

    Attributes:
        status: of HTTP, 0 where there was no answer.
        code: the server's word for it, such as `busy`.
        retry_after_seconds: when the server asks to be tried again, if it does.
    """

    def __init__(
        self, message: str, *, status: int = 0, code: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class Client:
    """Talks to a server; for a `with` block, or `close` it. Every method raises `ServerError`.

        with Client("http://127.0.0.1:8000") as client:
            for hit in client.search("a dog catches a frisbee").hits:
                print(hit.name, hit.start, hit.end)

    Args:
        address: of the server.
        token: what it wants to be shown, where it does; by default CENTERCLIP_TOKEN of the environment.
        timeout_seconds: how long to wait for an answer.
        transport: of httpx, in place of the network.
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
        """Find the moments that fit a query.

        Args:
            query: words, added and subtracted: `beach + sunset - people`.
            top: hits on a page.
            cursor: `next` of the page before.
            **filters: per_video, folder, min_duration, max_duration, after, before, where.
        """
        asked = {"q": query, "top": top, "cursor": cursor, **filters}
        return self._get("/api/search", SearchResult, asked)

    def similar(
        self, video_id: str, start: float, *, top: int = 24, cursor: str = "", **filters: Any
    ) -> SearchResult:
        """Find more like a moment of another video: a hit's `video_id` and `window_start`."""
        asked = {"like": video_id, "start": start, "top": top, "cursor": cursor, **filters}
        return self._get("/api/search", SearchResult, asked)

    def search_file(
        self, path: str | Path, *, words: str = "", top: int = 24, **filters: Any
    ) -> SearchResult:
        """Find the moments that are like a picture or clip, with words added or subtracted."""
        with Path(path).open("rb") as file:
            answer = self._send(
                "POST",
                "/api/search",
                params=_given({"top": top, **filters}),
                files={"file": (Path(path).name, file)},
                data={"q": words},
            )
        return _parse(answer, SearchResult)

    def hits(self, query: str, **filters: Any) -> Iterator[Hit]:
        """All hits of a query, page after page, of the library as it is now."""
        page = self.search(query, **filters)
        yield from page.hits
        while page.next:
            page = self.search(query, cursor=page.next, **filters)
            yield from page.hits

    def videos(self, *, offset: int = 0, limit: int = 50) -> VideoList:
        """The library's files, done and failed."""
        return self._get("/api/videos", VideoList, {"offset": offset, "limit": limit})

    def video(self, video_id: str) -> Video:
        """What is known of a video."""
        return self._get(f"/api/videos/{video_id}", Video)

    def curve(self, video_id: str, query: str) -> Curve:
        """A query's score along a video."""
        return self._get(f"/api/videos/{video_id}/curve", Curve, {"q": query})

    def stats(self) -> Stats:
        """What is in the library."""
        return self._get("/api/stats", Stats)

    def index(self, *, prune: bool = False, retry_failed: bool = False) -> str:
        """Begin to bring the library up to date; returns the job's name."""
        wanted = JobWanted(prune=prune, retry_failed=retry_failed)
        return _parse(self._send("POST", "/api/index", json=wanted.model_dump()), JobStarted).job

    def job(self, job: str) -> Job:
        """How far a job is."""
        return self._get(f"/api/index/{job}", Job)

    def cancel(self, job: str) -> Job:
        """Ask a job to end after the batch in hand."""
        return _parse(self._send("DELETE", f"/api/index/{job}"), Job)

    def watch(self, job: str) -> Iterator[Job]:
        """Follow a job until it has ended."""
        try:
            with self._http.stream("GET", f"/api/index/{job}/events") as answer:
                if answer.is_error:
                    answer.read()
                    raise _error(answer)
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        yield Job.model_validate_json(line.removeprefix("data: "))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def thumbnail(self, hit: Hit) -> bytes:
        """A hit's picture, a JPEG."""
        return self._send("GET", hit.thumbnail).content

    def clip(self, hit: Hit) -> bytes:
        """A hit's moment, an MP4 file."""
        return self._send("GET", hit.clip).content

    def reduction(self, hit: Hit) -> bytes:
        """A PNG of the hit's window with the patches that the model drops dimmed."""
        params = {"start": hit.window_start}
        return self._send("GET", f"/api/videos/{hit.video_id}/tokens", params=params).content

    def download(self, hit: Hit, target: str | Path) -> None:
        """Write the whole file that a hit lies in."""
        try:
            with self._http.stream("GET", hit.media) as answer:
                if answer.is_error:
                    answer.read()
                    raise _error(answer)
                with Path(target).open("wb") as file:
                    for part in answer.iter_bytes():
                        file.write(part)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _get(self, path: str, shape: type[_M], asked: dict[str, Any] | None = None) -> _M:
        return _parse(self._send("GET", path, params=_given(asked or {})), shape)

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
        return ServerError(
            f"{self._http.base_url} gives no answer ({reason}): is `centerclip serve` running?"
        )


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None and value != ""}


def _parse(answer: httpx.Response, shape: type[_M]) -> _M:
    try:
        return shape.model_validate_json(answer.content)
    except ValidationError as error:
        raise ServerError(
            f"{answer.url.host} answers, but not as `centerclip serve` does: check the address, and that "
            "both are of one version",
            status=answer.status_code,
        ) from error


def _error(answer: httpx.Response) -> ServerError:
    try:
        told = ErrorBody.model_validate_json(answer.content).error
        code, message = told.code, told.message
    except ValidationError:
        code, message = "error", f"{answer.url.host} answered {answer.status_code} {answer.reason_phrase}"
    after = answer.headers.get("retry-after", "")
    seconds = float(after) if after.isdigit() else None
    return ServerError(message, status=answer.status_code, code=code, retry_after_seconds=seconds)
