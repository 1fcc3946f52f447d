"""Makes archives and reels, a clip at a time, so that nobody waits for all of somebody else's clips."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from fastapi import HTTPException, Request

from centerclip.api import ExportRequest
from centerclip.clips import Moment, Reel, clip_name, make_reel
from centerclip.clips.looking import failed
from centerclip.errors import VideoError
from centerclip.index import StoredVideo
from centerclip.records import Failed
from centerclip.serve.library import GoneError
from centerclip.serve.routes.windows import open_video
from centerclip.serve.services import Services

__all__ = ["Found", "archive", "find_moments", "join_reel"]

_PIECE = 1 << 20
_SAID = 20
"""Maximum number of files that an archive's comment names."""
_LONGEST_COMMENT = 65535
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True, slots=True)
class Found:
    """A moment to export, and the file it is in."""

    video: StoredVideo
    moment: Moment


def find_moments(services: Services, wanted: ExportRequest) -> tuple[list[Found], list[Failed]]:
    """Find the files of moments; those that are gone are returned as failures.

    Raises:
        HTTPException: the index doesn't have one of them (404).
    """
    found: list[Found] = []
    known: dict[str, StoredVideo | Failed] = {}
    for rank, one in enumerate(wanted.moments, start=1):
        if one.video_id not in known:
            known[one.video_id] = _open(services, one.video_id)
        video = known[one.video_id]
        if isinstance(video, StoredVideo):
            place = _place(services, video.info.path, wanted.root)
            moment = Moment(video.info.path, one.start, one.end, rank, place=place)
            found.append(Found(video, moment.padded(wanted.pad)))
    return found, [lost for lost in known.values() if isinstance(lost, Failed)]


async def archive(services: Services, found: Sequence[Found], gone: Sequence[Failed]) -> AsyncIterator[bytes]:
    """Yield a zip archive with a clip per moment, while they are cut.

    `failed.txt` lists what is missing. So does the archive's comment, which the page shows.

    Raises:
        VideoError: no moment can be cut; nothing was yielded.
        HTTPException: the server is busy (503); nothing was yielded.
    """
    sink, lost, made = _Sink(), list(gone), 0
    digits = max(2, len(str(found[-1].moment.rank)))
    with ZipFile(sink, "w", ZIP_STORED) as zipped:  # type: ignore[call-overload]  # enough
        for number, one in enumerate(found):
            if services.is_stopping():
                raise VideoError("the server is stopping")
            try:
                cut = partial(services.excerpts.clip, one.video, one.moment.start, one.moment.end)
                path = await services.cutting.run(cut, admitted=number > 0)
            except VideoError as error:
                lost.append(failed(one.moment.path, error))
                continue
            except HTTPException as error:
                if not number:
                    raise
                lost.append(Failed(one.moment.path, error.detail))
                continue
            with path.open("rb") as file:
                info = ZipInfo(clip_name(one.moment, digits=digits), time.localtime()[:6])
                large = path.stat().st_size >= 1 << 31
                with zipped.open(info, "w", force_zip64=large) as member:
                    while piece := await asyncio.to_thread(file.read, _PIECE):
                        member.write(piece)
                        yield sink.take()
            made += 1
        if not made:
            raise VideoError(f"none of these moments can be cut: {lost[0].reason}")
        if lost:
            said = [f"{one.path.name}: {services.library.hide_folders(one.reason)}\n" for one in lost]
            zipped.writestr("failed.txt", "".join(said).encode("utf-8", "replace"))
            zipped.comment = "".join(said[:_SAID]).encode("utf-8", "replace")[:_LONGEST_COMMENT]
    yield sink.take()


async def join_reel(
    services: Services, request: Request, found: Sequence[Found]
) -> tuple[Path, TemporaryDirectory[str], list[Failed]]:
    """Join moments to a reel, as long as the visitor waits.

    Returns:
        The reel, the folder to clean up afterwards, and the moments that could not be cut.

    Raises:
        VideoError: no moment can be cut.
        HTTPException: the server is busy (503), or a moment takes too long (504).
    """
    folder = await services.reading.run(services.excerpts.folder)
    steps = make_reel([one.moment for one in found], Path(folder.name, "reel.mp4"))
    lost: list[Failed] = []
    begun = False
    try:
        while not (await request.is_disconnected() or services.is_stopping()):
            step = await services.cutting.run(partial(next, steps), admitted=begun)
            begun = True
            if isinstance(step, Failed):
                lost.append(step)
            elif isinstance(step, Reel):
                return step.path, folder, lost
        raise HTTPException(503, "the server is stopping, or nobody waits any more")
    except BaseException:

        def clean() -> None:
            steps.close()
            folder.cleanup()

        with suppress(RuntimeError):  # the server is closing
            services.cutting.afterwards(clean)  # a step may still run
        raise


class _Sink:
    """A file that can only be written to, whose content is taken away piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def _open(services: Services, video_id: str) -> StoredVideo | Failed:
    try:
        return open_video(services, video_id)
    except GoneError as error:
        name = services.library.videos([video_id])[video_id].info.path
        return Failed(name, str(error))


def _place(services: Services, path: Path, root: str) -> str:
    """A file as the visitor may know it; "" for its path on the server."""
    if not root and services.settings.names_paths:
        return ""
    parts = [part for part in (services.library.folder_of(path), path.name) if part]
    inside = "/".join(parts)
    if not root:
        return inside
    if _WINDOWS.match(root):
        return "\\".join([root.rstrip("\\/"), inside.replace("/", "\\")])
    return f"{root.rstrip('/')}/{inside}"
