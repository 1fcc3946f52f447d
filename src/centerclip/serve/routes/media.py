"""The files themselves, their thumbnails, and excerpts that browsers play."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse

from centerclip.records import Cue
from centerclip.remote import Address
from centerclip.serve.library import TYPES
from centerclip.serve.routes.windows import VideoId, open_video
from centerclip.serve.services import Services, Use
from centerclip.serve.streaming import send_object
from centerclip.subtitles import write_webvtt

__all__ = ["router"]

router = APIRouter(tags=["media"])

_OTHER_TYPE = "application/octet-stream"
_KEEP = {"Cache-Control": "private, max-age=3600"}
_CONTENT: dict[str, Any] = {kind: {} for kind in (*sorted(set(TYPES.values())), _OTHER_TYPE)}
_RANGES: dict[int | str, dict[str, Any]] = {
    200: {"content": _CONTENT, "description": "The whole file."},
    206: {"content": _CONTENT, "description": "The requested ranges."},
    416: {"description": "The file has no such range."},
}
_Seconds = Annotated[float, Query(ge=0, le=1e9)]


@router.head("/media/{video_id}", include_in_schema=False)
@router.get("/media/{video_id}", response_class=Response, responses=_RANGES)
async def get_media(services: Use, video_id: VideoId, request: Request) -> Response:
    """Get a video file, or ranges of its bytes."""
    video = await services.reading.run(partial(open_video, services, video_id))
    kind = TYPES.get(video.info.path.suffix.lower(), _OTHER_TYPE)
    # Not cached: when the file changes, its address stays the same, and the old content must not be shown.
    headers = {"Cache-Control": "private, no-cache"}
    path = video.info.path
    if isinstance(path, Address):
        return await send_object(path, request, services.reading, media_type=kind, headers=headers)
    return FileResponse(path, media_type=kind, headers=headers)


@router.get(
    "/media/{video_id}/subtitles.vtt",
    response_class=Response,
    responses={200: {"content": {"text/vtt": {}}, "description": "The subtitles."}},
)
async def get_subtitles(
    services: Use,
    video_id: VideoId,
    source: Annotated[
        str, Query(max_length=300, description="One of the sources in `cues`; by default the first.")
    ] = "",
) -> Response:
    """Get what is said in a video as WebVTT, which browsers show as subtitles."""
    text = await services.reading.run(partial(_subtitles, services, video_id, source))
    return Response(text, media_type="text/vtt", headers={"Cache-Control": "private, no-cache"})


@router.head("/thumbnails/{video_id}", include_in_schema=False)
@router.get(
    "/thumbnails/{video_id}",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "The picture."},
        304: {"description": "The picture has not changed."},
    },
)
async def get_thumbnail(
    services: Use,
    video_id: VideoId,
    t: Annotated[float, Query(ge=0, le=1e9, description="Seconds from the file's start.")] = 0.0,
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """Get the picture that was stored for an instant: a JPEG at most 320 pixels wide."""
    picture = await services.reading.run(partial(_picture, services, video_id, t))
    tag = f'"{blake2b(picture, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, **_KEEP}
    if tag in [given.strip().removeprefix("W/") for given in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(picture, media_type="image/jpeg", headers=headers)


@router.head("/excerpts/{video_id}", include_in_schema=False)
@router.get("/excerpts/{video_id}", response_class=Response, responses=_RANGES)
async def get_excerpt(services: Use, video_id: VideoId, start: _Seconds, end: _Seconds) -> Response:
    """Get a moment, up to one minute of it, as a small MP4 that browsers play, whatever the file's format.

    It is copied if possible, and may then begin up to half a second early; otherwise it is encoded.
    """
    if not start < end:
        raise HTTPException(422, "`end` must be greater than `start`")

    def make() -> FileResponse:
        video = open_video(services, video_id)
        path = services.excerpts.get(video, start, end)
        return FileResponse(path, media_type="video/mp4", headers=_KEEP)

    return await services.cutting.run(make)


def _subtitles(services: Services, video_id: str, source: str) -> str:
    cues = services.index.spoken.cues(video_id)
    sources = sorted({cue.source for cue in cues})
    if not cues or (source and source not in sources):
        what = f"from {source}" if cues else "known"
        raise HTTPException(404, f"nothing that is said in video {video_id} is {what}")
    chosen = source or sources[0]
    return write_webvtt(Cue(cue.start, cue.end, cue.text) for cue in cues if cue.source == chosen)


def _picture(services: Services, video_id: str, seconds: float) -> bytes:
    picture = services.index.picture(video_id, seconds)
    if picture is None:
        raise HTTPException(404, "this picture is no longer available: search again")
    return picture
