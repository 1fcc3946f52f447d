"""Moments to keep: one as a clip, several as an archive, a reel or an edit list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from centerclip.api import ExportRequest
from centerclip.clips import EDIT_LISTS, Moment, clip_name, make_edit_list
from centerclip.clips.moment import safe_stem
from centerclip.records import Failed
from centerclip.serve.exporting import archive, find_moments, join_reel
from centerclip.serve.routes.windows import VideoId, open_video
from centerclip.serve.services import Services, Use

__all__ = ["router"]

router = APIRouter(tags=["media"])

_Seconds = Annotated[float, Query(ge=0, le=1e9)]
_KEEP = {"Cache-Control": "private, max-age=3600"}
_KINDS = {
    "zip": "application/zip",
    "reel": "video/mp4",
    "edl": "text/plain; charset=utf-8",
    "fcpxml": "application/xml",
    "otio": "application/json",
    "csv": "text/csv; charset=utf-8",
}
_LISTED = 20
_FAILED = "Centerclip-Failed"
_CLIP: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"video/mp4": {}, "video/quicktime": {}},
        "description": "The clip; its name says where it comes from.",
    },
    206: {"content": {"video/mp4": {}, "video/quicktime": {}}, "description": "The requested ranges."},
    416: {"description": "The file has no such range."},
}
_EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {kind.partition(";")[0]: {} for kind in _KINDS.values()},
        "description": f"The file. The header `{_FAILED}` lists what could not be exported: JSON, "
        "percent-encoded. An archive has the list in `failed.txt` instead.",
        "headers": {_FAILED: {"schema": {"type": "string"}, "description": "Only if something failed."}},
    },
}


@router.head("/clips/{video_id}", include_in_schema=False)
@router.get("/clips/{video_id}", response_class=Response, responses=_CLIP)
async def get_clip(
    services: Use,
    video_id: VideoId,
    start: _Seconds,
    end: _Seconds,
    pad: Annotated[float, Query(ge=0, le=60, description="Seconds to add before and after.")] = 0.0,
    rank: Annotated[int, Query(ge=1, le=10**6, description="Begins the name of the file.")] = 1,
) -> Response:
    """Download a moment as a file in full quality.

    It is copied if a key frame lies up to half a second before it, and then begins there; otherwise it is
    encoded with exactly its frames. If that takes longer than the server allows, the answer is 504; the
    server goes on, and has the clip when asked again.
    """
    if not start < end:
        raise HTTPException(422, "`end` must be greater than `start`")
    longest = services.settings.max_clip_seconds
    if end - start + 2 * pad > longest:
        raise HTTPException(422, f"a clip may be at most {longest:g} seconds long")

    def make() -> FileResponse:
        video = open_video(services, video_id)
        moment = Moment(video.info.path, start, end, rank).padded(pad)
        path = services.excerpts.clip(video, moment.start, moment.end)
        kind = "video/quicktime" if path.suffix == ".mov" else "video/mp4"
        return FileResponse(path, media_type=kind, filename=clip_name(moment), headers=_KEEP)

    return await services.cutting.run(make)


@router.post("/api/export", response_class=Response, responses=_EXPORTED)
async def export_moments(services: Use, request: Request, wanted: ExportRequest) -> Response:
    """Get moments as clips in a zip archive, as one reel, or as an edit list.

    A moment whose file is gone or damaged is left out. An archive is sent while its clips are cut.
    """
    _check(services, wanted)
    found, failed = await services.reading.run(partial(find_moments, services, wanted))
    if not found:
        others = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise HTTPException(410, f"{failed[0].reason}{others}")
    headers = {"Content-Disposition": _disposition(wanted)}
    if wanted.format == "zip":
        parts = archive(services, found, failed)
        # Until the first clip is there, the answer can still be an error.
        begun = await anext(parts)

        async def whole() -> Any:
            yield begun
            async for part in parts:
                yield part

        return StreamingResponse(whole(), media_type=_KINDS["zip"], headers=headers)
    if wanted.format == "reel":
        path, folder, lost = await join_reel(services, request, found)
        headers |= _losses(services, [*failed, *lost])
        return _Reel(path, folder, media_type=_KINDS["reel"], headers=headers)
    moments = [one.moment for one in found]
    title = wanted.title.strip() or "CenterCLIP"
    edits, lost = await services.cutting.run(partial(make_edit_list, moments, title))
    if edits is None:
        raise HTTPException(415, f"none of the files can be read: {lost[0].reason}")
    text = edits.written(wanted.format).encode("utf-8", "surrogateescape")
    headers |= _losses(services, [*failed, *lost])
    return Response(text, media_type=_KINDS[wanted.format], headers=headers)


class _Reel(FileResponse):
    """A file in a folder that is deleted once it is sent, or the visitor has gone."""

    def __init__(self, path: Path, folder: TemporaryDirectory[str], **more: Any) -> None:
        super().__init__(path, **more)
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._folder.cleanup()


def _check(services: Services, wanted: ExportRequest) -> None:
    settings = services.settings
    if any(not one.start < one.end for one in wanted.moments):
        raise HTTPException(422, "`end` must be greater than `start` in each of `moments`")
    if wanted.format in EDIT_LISTS:
        return
    if len(wanted.moments) > settings.max_export_moments:
        raise HTTPException(422, f"at most {settings.max_export_moments} moments can be exported at once")
    lengths = [one.end - one.start + 2 * wanted.pad for one in wanted.moments]
    if max(lengths) > settings.max_clip_seconds:
        rank = lengths.index(max(lengths)) + 1
        raise HTTPException(
            422,
            f"moment {rank} is {max(lengths):.0f} seconds long, but a clip may be at most "
            f"{settings.max_clip_seconds:g} seconds long",
        )
    if sum(lengths) > settings.max_export_seconds:
        longest = f"{settings.max_export_seconds / 60:g} minutes"
        raise HTTPException(422, f"at most {longest} can be exported at once: choose fewer moments")


def _disposition(wanted: ExportRequest) -> str:
    """Name the file after the title."""
    suffix = {"reel": "mp4"}.get(wanted.format, wanted.format)
    name = f"{safe_stem(wanted.title.strip() or 'centerclip')}.{suffix}"
    if name.isascii():
        return f'attachment; filename="{name}"'
    return f"attachment; filename*=utf-8''{quote(name)}"


def _losses(services: Services, lost: Sequence[Failed]) -> dict[str, str]:
    said = [{"name": one.path.name, "reason": services.library.hide_folders(one.reason)} for one in lost]
    return {_FAILED: quote(json.dumps(said[:_LISTED]))} if said else {}
