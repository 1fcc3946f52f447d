"""An index as tools for AI agents: a server of the Model Context Protocol.

It gives away only what is in the index, and writes only new files into one folder, if its owner names one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property, wraps
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, ParamSpec, TypeVar

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

import centerclip
from centerclip import clips
from centerclip.errors import CenterCLIPError, ConfigError, QueryError
from centerclip.index import StoredVideo, VideoIndex
from centerclip.search import QueryEncoder, Searcher

__all__ = ["make_server"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_SECONDS = 20.0
"""How long a search may read."""
_MOST = 100
"""Results of one call."""
_LONGEST = 600.0
"""Seconds of a clip."""
_NAME = re.compile(r"[\w\-. ()]{1,120}\.mp4")
_INSTRUCTIONS = """\
Finds moments in the owner's own videos. Call search with a short description of what is seen, or with words
that are said; each hit has a video_id, start and end in seconds, and tells whether it was seen or said. Look
at a hit with picture before you rely on it: the best hit may be wrong, and scores compare only the hits of
one query. Times are seconds from the start of a video."""


def make_server(
    index: VideoIndex, load: Callable[[], QueryEncoder], *, clips: Path | None = None
) -> MCPServer[Any]:
    """Make a server; its `run()` speaks the protocol on stdin and stdout.

    Args:
        index: what may be searched and shown.
        load: loads the encoder of the index's model, at the first search.
        clips: the folder into which moments may be cut; None for nowhere.

    Raises:
        ConfigError: `clips` isn't a folder.
    """
    if clips is not None and not clips.is_dir():
        raise ConfigError(f"{clips} isn't a folder: create it, or name another one for clips")
    tools = _Tools(index, load, clips)
    server: MCPServer[Any] = MCPServer(
        "centerclip", instructions=_INSTRUCTIONS, version=centerclip.__version__, log_level="ERROR"
    )
    for tool in (tools.search, tools.picture, tools.videos, tools.library):
        server.add_tool(_told(tool))
    if clips is not None:
        server.add_tool(_told(tools.cut))
    return server


def _told(tool: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let the errors that are meant for people reach the caller as they are."""

    @wraps(tool)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return tool(*args, **kwargs)
        except CenterCLIPError as error:
            raise ToolError(str(error)) from error
        except OSError as error:
            raise ToolError(f"{error.filename or 'the system'}: {error.strerror or error}") from error

    return run


class _Tools:
    """The tools; their docstrings are what the caller reads about them."""

    def __init__(self, index: VideoIndex, load: Callable[[], QueryEncoder], clips: Path | None) -> None:
        self._index = index
        self._load = load
        self._clips = clips
        self._loading = Lock()

    @cached_property
    def _loaded(self) -> Searcher:
        return Searcher(self._index, self._load(), seconds=_SECONDS)

    def _searcher(self) -> Searcher:
        with self._loading:  # calls run in threads
            return self._loaded

    def search(
        self,
        query: Annotated[str, Field(description="What is seen or said, such as: a dog catches a frisbee")],
        top: Annotated[int, Field(ge=1, le=_MOST, description="Maximum number of moments")] = 10,
        per_video: Annotated[int, Field(ge=1, le=_MOST, description="Maximum per video")] = 1,
        where: Annotated[
            str | None,
            Field(description="Condition, such as: recorded >= '2024-05-01' and path like '%/holidays/%'"),
        ] = None,
    ) -> dict[str, Any]:
        """Find the moments that match a description, best first.

        Descriptions can be combined, with spaces around the signs: beach + sunset - people. After spoken:,
        words are looked for only in what is said, after seen: only in pictures. Strength is 1 for the best
        moment and 0 for what an unrelated one reaches; said has the words, with their times.
        """
        hits = self._searcher().search(query, top=top, per_video=per_video, where=where, files=False)
        return {
            "moments": [
                {
                    "video_id": hit.video_id,
                    "path": str(hit.path),
                    "start": round(hit.start, 3),
                    "end": round(hit.end, 3),
                    "strength": round(hit.strength, 3),
                    "score": round(hit.score, 4),
                    "duration_seconds": round(hit.duration_seconds, 3),
                    "reasons": hit.reasons,
                    "said": [{"start": said.start, "end": said.end, "text": said.text} for said in hit.said],
                }
                for hit in hits
            ]
        }

    def picture(
        self,
        video_id: Annotated[str, Field(description="A moment's video_id")],
        seconds: Annotated[float, Field(ge=0, description="When, such as a moment's start")],
    ) -> Image:
        """Show the stored picture of a video that is nearest before an instant."""
        jpeg = self._index.picture(video_id, seconds) if math.isfinite(seconds) else None
        if jpeg is None:
            raise _unknown(video_id)
        return Image(data=jpeg, format="jpeg")

    def videos(
        self,
        where: Annotated[
            str | None, Field(description="Condition, such as: codec = 'h264' and width >= 1920")
        ] = None,
        offset: Annotated[int, Field(ge=0, description="How many to skip")] = 0,
        limit: Annotated[int, Field(ge=1, le=_MOST, description="Maximum number of videos")] = 50,
    ) -> dict[str, Any]:
        """List the videos of the library by path. Those whose state is failed couldn't be indexed."""
        return {
            "videos": [_described(video) for video in self._index.videos(where, offset=offset, limit=limit)]
        }

    def library(self) -> dict[str, Any]:
        """Tell how many videos there are, how long they last, and which model finds them."""
        stats = self._index.stats()
        return {
            "videos": stats.videos,
            "failed": stats.failed,
            "footage_seconds": round(stats.footage_seconds, 1),
            "windows": stats.windows,
            "model": stats.model.name,
            "can_cut": self._clips is not None,
        }

    def cut(
        self,
        video_id: Annotated[str, Field(description="A moment's video_id")],
        start: Annotated[float, Field(ge=0, description="Seconds")],
        end: Annotated[float, Field(gt=0, description="Seconds")],
        name: Annotated[str, Field(description="Name of the new file, such as: frisbee.mp4")],
    ) -> dict[str, Any]:
        """Cut a stretch of a video to a new MP4 file in the folder that the owner has chosen.

        Existing files are never overwritten.
        """
        assert self._clips is not None
        video = self._index.video(video_id)
        if video is None:
            raise _unknown(video_id)
        end = min(end, video.info.duration_seconds)
        if not 0 < end - start <= _LONGEST:
            raise QueryError(
                f"a clip from {start:g} to {end:g} seconds isn't possible: it must begin before its end and "
                f"before the video's, at {video.info.duration_seconds:g}, and last up to {_LONGEST:g} seconds"
            )
        if not _NAME.fullmatch(name) or name.startswith("."):
            raise QueryError(
                f"{name!r} can't be the name of a clip: use letters, digits, spaces and -_.() and end in .mp4"
            )
        target = self._clips / name
        try:
            made = clips.cut(video.info.path, start, end, target)
        except FileExistsError:
            raise QueryError(
                f"{target} already exists and won't be overwritten: choose another name"
            ) from None
        size_bytes = target.stat().st_size
        return {"path": str(target), **asdict(made), "size_bytes": size_bytes}


def _unknown(video_id: str) -> QueryError:
    return QueryError(f"the index has no video {video_id!r}: take the video_id of a moment")


def _described(video: StoredVideo) -> dict[str, Any]:
    info = video.info
    return {
        "video_id": info.video_id,
        "path": str(info.path),
        "state": video.state,
        "reason": video.reason,
        "duration_seconds": round(info.duration_seconds, 3),
        "width": info.width,
        "height": info.height,
        "codec": info.codec,
    }
