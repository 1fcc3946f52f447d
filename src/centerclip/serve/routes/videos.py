"""The library's videos: their list, a query's scores along one, and what the model keeps of one."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, HTTPException, Response
from fastapi import Query as Parameter
from numpy.typing import NDArray

from centerclip import api
from centerclip.index import StoredVideo
from centerclip.index.columns import VIDEO_COLUMNS
from centerclip.index.sql import equals
from centerclip.search import Query
from centerclip.serve.library import is_playable, media_type
from centerclip.serve.routes.search import Wanted, Words, ordinary_score, parse_words, prepare
from centerclip.serve.routes.windows import VideoId, open_video, window_at
from centerclip.serve.services import Services, Use

__all__ = ["router"]

router = APIRouter(prefix="/api/videos", tags=["videos"])

_MOMENTS = 50
_Start = Annotated[float, Parameter(ge=0, le=1e9, description="Seconds from the start of the file.")]


@router.get("")
async def list_videos(
    services: Use,
    filters: Wanted,
    offset: Annotated[int, Parameter(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Parameter(ge=1, le=200)] = 50,
) -> api.VideoList:
    """List the files that meet the filters, indexed and failed, sorted by path."""

    def read() -> api.VideoList:
        where = filters.condition(services.library, VIDEO_COLUMNS)
        total = services.index.count_videos(where)
        found = services.index.videos(where, offset=offset, limit=limit) if offset < total else []
        videos = [_describe(services, video) for video in found]
        return api.VideoList(total=total, offset=offset, limit=limit, videos=videos)

    return await services.reading.run(read)


@router.get("/{video_id}")
async def get_video(services: Use, video_id: VideoId) -> api.Video:
    """Get information about a video."""

    def read() -> api.Video:
        video = services.index.video(video_id)
        if video is None:
            raise HTTPException(404, f"video {video_id} not found: take the id from a hit")
        return _describe(services, video)

    return await services.reading.run(read)


@router.get("/{video_id}/curve")
async def get_curve(
    services: Use,
    video_id: VideoId,
    q: Words = "",
    like: Annotated[
        VideoId | None, Parameter(description="A moment of this video, instead of words or beside them.")
    ] = None,
    start: _Start = 0.0,
) -> api.ScoreCurve:
    """Get a query's score for each segment of a video, and the moments that match the query."""
    if like is None and not q.strip():
        raise HTTPException(422, "give words in `q`, a video in `like`, or both")
    query = parse_words(services, q) if q.strip() else None
    if query is not None:
        await prepare(services, query)

    def score() -> api.ScoreCurve:
        if like is not None:
            begin = window_at(services, like, start).window.start_seconds
            wanted: Query | NDArray[np.float32] = services.searcher.likeness(like, begin, query)
        else:
            assert query is not None
            wanted = query
        window_at(services, video_id, 0.0)  # 404 unless there is one
        curve = services.searcher.curve(wanted, video_id)
        ordinary = ordinary_score(services, query) if query is not None and like is None else None
        hits = services.searcher.search(
            wanted, top=_MOMENTS, per_video=None, where=equals("video_id", video_id)
        )
        return api.ScoreCurve(
            times=list(zip(curve.starts.tolist(), curve.ends.tolist(), strict=True)),
            scores=curve.scores.tolist(),
            low=curve.background,
            high=max(curve.best, ordinary or curve.best),
            moments=[api.CurveMoment(start=hit.start, end=hit.end, score=hit.score) for hit in hits],
        )

    return await services.reading.run(score)


@router.get(
    "/{video_id}/tokens",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The picture."}},
)
async def get_tokens(
    services: Use,
    video_id: VideoId,
    start: _Start = 0.0,
    end: Annotated[float | None, Parameter(ge=0, le=1e9, description="Ignored: the window decides.")] = None,
) -> Response:
    """Get a picture of the window around `start` with the patches that the model drops dimmed."""

    def draw() -> bytes:
        window = window_at(services, video_id, start).window
        return services.draw_reduction(open_video(services, video_id).info, window)

    picture = await services.looking.run(draw)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


def _describe(services: Services, video: StoredVideo) -> api.Video:
    info, library = video.info, services.library
    done = video.state == "done"
    return api.Video(
        video_id=info.video_id,
        name=info.path.name,
        folder=library.folder_of(info.path),
        duration=info.duration_seconds,
        width=info.width,
        height=info.height,
        modified=info.modified_seconds,
        playable=done and is_playable(video),
        media_type=media_type(video) if done else "",
        media=f"/media/{info.video_id}" if done else "",
        state=video.state,
        reason=library.hide_folders(video.reason),
        size=info.size_bytes,
        frame_rate=info.frame_rate,
        codec=info.codec,
        windows=video.windows,
        indexed=video.indexed_seconds,
        thumbnail=f"/thumbnails/{info.video_id}?t=0.0" if done else None,
    )
