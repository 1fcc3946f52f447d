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
from centerclip.index.reading import VideoSort
from centerclip.index.sql import equals
from centerclip.search import Query
from centerclip.serve.library import is_playable, is_there, media_type
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
    sort: Annotated[
        VideoSort,
        Parameter(description="By `path`, or by when they were recorded: `date` or `oldest` first."),
    ] = "path",
) -> api.VideoList:
    """List the files that meet the filters, indexed and failed."""

    def read() -> api.VideoList:
        index, where = services.index, filters.condition(services.library, VIDEO_COLUMNS)
        total = index.count_videos(where)
        found = index.videos(where, offset=offset, limit=limit, sort=sort) if offset < total else []
        heard = index.spoken.known(video.info.video_id for video in found)
        videos = [_describe(services, video, video.info.video_id in heard) for video in found]
        return api.VideoList(total=total, offset=offset, limit=limit, videos=videos)

    return await services.reading.run(read)


@router.get("/{video_id}")
async def get_video(services: Use, video_id: VideoId) -> api.Video:
    """Get information about a video. If several files have this content, it describes one that exists."""

    def read() -> api.Video:
        copies = services.library.copies([video_id]).get(video_id, [])
        video = next(filter(is_there, copies), None) or services.index.video(video_id)
        if video is None:
            raise HTTPException(404, f"video {video_id} not found: take the id from a hit")
        described = _describe(services, video, bool(services.index.spoken.known([video_id])))
        path = str(video.info.path) if services.settings.names_paths else ""
        return described.model_copy(update={"path": path})

    return await services.reading.run(read)


@router.get("/{video_id}/cues")
async def get_cues(services: Use, video_id: VideoId) -> api.CueList:
    """Get what is said in a video, in order of time."""

    def read() -> api.CueList:
        window_at(services, video_id, 0.0)  # 404 unless there is one
        cues = services.index.spoken.cues(video_id)
        return api.CueList(
            video_id=video_id,
            cues=[
                api.Said(start=c.start, end=c.end, text=c.text, language=c.language, source=c.source)
                for c in cues
            ],
        )

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
    """Get a query's score for each segment of a video, and the moments that match the query.

    A query of spoken words alone has no scores.
    """
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
        hits = services.searcher.search(
            wanted, top=_MOMENTS, per_video=None, where=equals("video_id", video_id)
        )
        moments = [api.CurveMoment(start=hit.start, end=hit.end, score=hit.score) for hit in hits]
        if like is None and query is not None and query.seen is None:
            return api.ScoreCurve(times=[], scores=[], low=0.0, high=1.0, moments=moments)
        curve = services.searcher.curve(wanted, video_id)
        ordinary = ordinary_score(services, query) if query is not None and like is None else None
        return api.ScoreCurve(
            times=list(zip(curve.starts.tolist(), curve.ends.tolist(), strict=True)),
            scores=curve.scores.tolist(),
            low=curve.background,
            high=max(curve.best, ordinary or curve.best),
            moments=moments,
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


def _describe(services: Services, video: StoredVideo, is_heard: bool) -> api.Video:
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
        recorded=info.recorded_seconds,
        recorded_source=info.recorded_source,
        recorded_zone=info.recorded_zone,
        missing=not is_there(video),
        playable=done and is_playable(video),
        media_type=media_type(video) if done else "",
        media=f"/media/{info.video_id}" if done else "",
        subtitles=f"/media/{info.video_id}/subtitles.vtt" if done and is_heard else "",
        state=video.state,
        reason=library.hide_folders(video.reason),
        size=info.size_bytes,
        frame_rate=info.frame_rate,
        codec=info.codec,
        windows=video.windows,
        indexed=video.indexed_seconds,
        thumbnail=f"/thumbnails/{info.video_id}?t=0.0" if done else None,
    )
