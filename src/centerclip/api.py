"""The JSON of the REST API as typed models, which `centerclip.client` returns too."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "CueList",
    "CurveMoment",
    "Error",
    "ErrorBody",
    "ExportFormat",
    "ExportMoment",
    "ExportRequest",
    "Failure",
    "FoundMoment",
    "Job",
    "JobList",
    "JobRequest",
    "JobStarted",
    "LibraryStats",
    "Model",
    "Month",
    "MonthList",
    "Said",
    "ScoreCurve",
    "SearchResult",
    "Video",
    "VideoList",
]

ExportFormat: TypeAlias = Literal["zip", "reel", "edl", "fcpxml", "otio", "csv"]
_VIDEO_ID = "c4d5e99b5aa00db6b8df9b74c22a4f45"


class Error(BaseModel):
    code: str = Field(description="What went wrong, for programs.", examples=["not_found"])
    message: str = Field(
        description="What went wrong and what to do, for people.",
        examples=["the file is empty: choose a picture or video"],
    )


class ErrorBody(BaseModel):
    error: Error


class _File(BaseModel):
    """A file, without its folder on the server."""

    video_id: str = Field(description="A hash of the file's content.", examples=[_VIDEO_ID])
    name: str = Field(description="The file's name.", examples=["four-seasons.mp4"])
    folder: str = Field(description="Its folder, relative to the library.", examples=["garden"])
    duration: float = Field(description="Length in seconds.", examples=[26.0])
    width: int = Field(examples=[640])
    height: int = Field(examples=[360])
    frame_rate: float = Field(description="Frames per second.", examples=[30.0])
    modified: float = Field(description="When the file was changed, in seconds since 1970.")
    recorded: float = Field(description="When it was recorded, as far as known, in seconds since 1970.")
    recorded_source: Literal["container", "modified"] = Field(
        description="Where `recorded` is from: the file's own metadata, or when the file was changed."
    )
    recorded_zone: int | None = Field(
        description="Minutes by which the clocks of the place were ahead of UTC; null if unknown.",
        examples=[120],
    )
    missing: bool = Field(
        description="Whether the file isn't there: moved, deleted, or on a disk that isn't connected."
    )
    playable: bool = Field(
        description="Whether all browsers play the file; if not, ask `canPlayType`, or use `/excerpts`."
    )
    media_type: str = Field(
        description="Type of the file with its codec, for `canPlayType`; empty if no browser plays it.",
        examples=['video/mp4; codecs="avc1.640028"'],
    )
    media: str = Field(
        description="Address of the file; supports byte ranges.", examples=[f"/media/{_VIDEO_ID}"]
    )
    subtitles: str = Field(
        description="Address of what is said, as WebVTT; empty if nothing is known.",
        examples=[f"/media/{_VIDEO_ID}/subtitles.vtt"],
    )


class Said(BaseModel):
    """Words that are said in a video."""

    start: float = Field(description="Seconds from the start of the file.", examples=[7.0])
    end: float = Field(examples=[8.5])
    text: str = Field(examples=["We are engaged"])
    language: str = Field(description="A code; empty if it isn't known.", examples=["en"])
    source: str = Field(
        description="A subtitle file, a stream of the video, or a speech model.", examples=["film.en.srt"]
    )


class CueList(BaseModel):
    video_id: str
    cues: list[Said] = Field(description="All that is said, from all sources, in order of time.")


class FoundMoment(_File):
    """A moment that matches a query."""

    rank: int = Field(description="1 is the best hit.", examples=[1])
    start: float = Field(description="Seconds from the start of the file.", examples=[6.5])
    end: float = Field(examples=[13.0])
    score: float = Field(
        description="A cosine, or for spoken words alone their BM25; comparable within one query only."
    )
    strength: float = Field(
        description="From 0, like an unrelated window, to 1, the best hit.", ge=0, le=1, examples=[1.0]
    )
    reasons: list[Literal["seen", "said"]] = Field(
        description="Why it was found.", examples=[["seen", "said"]]
    )
    said: list[Said] = Field(description="The cues with words of the query, in order of time.")
    weak: bool = Field(
        False,
        description="Whether the score is low beside the best hits of ordinary sentences in this library. "
        "False where that can't be told, as for pictures.",
    )
    copies: list[str] = Field(
        description="Other files with the same content.", examples=[["backup/four-seasons.mp4"]]
    )
    window_start: float = Field(description="The window around the moment; use it as `start` with `like`.")
    window_end: float
    thumbnail: str = Field(
        description="Address of a picture of the moment, from the segment that matches best.",
        examples=[f"/thumbnails/{_VIDEO_ID}?t=8.75"],
    )
    excerpt: str = Field(
        description="Address of the moment as an MP4 that browsers play.",
        examples=[f"/excerpts/{_VIDEO_ID}?start=6.5&end=13"],
    )
    clip: str = Field(
        description="Address of the moment as a file to keep, in full quality.",
        examples=[f"/clips/{_VIDEO_ID}?start=6.5&end=13"],
    )


class ExportMoment(BaseModel):
    """A moment to export; a hit's `video_id`, `start` and `end`."""

    model_config = ConfigDict(extra="forbid")

    video_id: str = Field(pattern="^[0-9a-f]{32}$", examples=[_VIDEO_ID])
    start: float = Field(ge=0, le=1e9, examples=[6.5])
    end: float = Field(ge=0, le=1e9, description="Greater than `start`.", examples=[13.0])


class ExportRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: ExportFormat = Field(
        description="`zip`: a clip per moment; `reel`: all in one MP4; or an edit list.", examples=["zip"]
    )
    moments: list[ExportMoment] = Field(min_length=1, max_length=1000, description="In the order wanted.")
    pad: float = Field(0.0, ge=0, le=60, description="Seconds to add before and after each moment.")
    title: str = Field("", max_length=200, description="Names the file and the list.", examples=["red cars"])
    root: str = Field(
        "",
        max_length=1000,
        description="For edit lists: the folder of the library on the reader's machine, an absolute path. "
        "Without it, paths are those of the server if only its own machine can reach it, and otherwise "
        "relative to the library.",
        examples=["/Volumes/Footage"],
    )


class SearchResult(BaseModel):
    query: str = Field(examples=["beach + sunset - people"])
    version: int = Field(description="The version of the index, which grows with each change.")
    hits: list[FoundMoment]
    next: str | None = Field(description="The cursor of the next page; null on the last page.")
    note: str = Field(
        "",
        description="A remark on the query for people, such as that the model doesn't know its language.",
    )


class Video(_File):
    """A file of the library."""

    state: Literal["done", "failed"]
    reason: str = Field(description="Why the file failed; empty if it didn't.")
    size: int = Field(description="Size in bytes.")
    codec: str = Field(examples=["h264"])
    windows: int = Field(description="Number of indexed windows.")
    indexed: float = Field(description="When it was indexed, in seconds since 1970.")
    thumbnail: str | None
    path: str = Field(
        default="",
        description="Where the file is; only for a single video, on a server without a token that only its "
        "own machine can reach.",
        examples=["/home/me/Videos/garden/four-seasons.mp4"],
    )


class VideoList(BaseModel):
    total: int
    offset: int
    limit: int
    videos: list[Video]


class Month(BaseModel):
    """What was recorded in a month, by the clocks of the server."""

    month: str = Field(examples=["2026-05"])
    after: str = Field(description="Its first day, for the filter `after`.", examples=["2026-05-01"])
    before: str = Field(description="Its last day, for the filter `before`.", examples=["2026-05-31"])
    videos: int
    seconds: float = Field(description="Total length of these videos.")


class MonthList(BaseModel):
    months: list[Month] = Field(description="The months with videos, the newest first.")


class CurveMoment(BaseModel):
    start: float
    end: float
    score: float


class ScoreCurve(BaseModel):
    """A query's scores along a video."""

    times: list[tuple[float, float]] = Field(description="Start and end of each segment, in seconds.")
    scores: list[float] = Field(description="Cosine of each segment.")
    moments: list[CurveMoment] = Field(
        description="The moments of this video that match the query, best first."
    )
    low: float = Field(description="What an unrelated window scores: the bottom of a chart.")
    high: float = Field(description="What the best hit in the library scores: the top of a chart.")


class Model(BaseModel):
    name: str = Field(examples=["nano"])
    schedule: str = Field(description="Token schedule.", examples=["B6-4,49"])
    reducer: str = Field(examples=["kmedoids"])
    frames: int = Field(description="Frames per window.", examples=[12])
    fingerprint: str
    nano: bool = Field(description="Whether this is the toy model, which only knows drawn videos.")


class LibraryStats(BaseModel):
    videos: int
    windows: int
    cues: int = Field(description="Number of pieces of speech.")
    seconds: float = Field(description="Total length of the videos.")
    bytes: int = Field(description="Size of the index.")
    failed: int = Field(description="Number of files that can't be read.")
    model: Model
    version: int
    examples: list[str] = Field(description="Example queries for this library.")
    folders: list[str] = Field(description="Values for the filter `folder`.")
    command: str = Field(
        description="The command that adds a folder to this index. It says where the index is only on a "
        "server for this machine without a token.",
        examples=["centerclip index ~/Videos"],
    )
    roots: list[str] = Field(
        description="Names of the folders and files that an index job looks into.", examples=[["Videos"]]
    )
    watching: bool = Field(description="Whether the server indexes changes by itself.")
    replica: bool = Field(
        default=False, description="Whether the server only reads, so it has no index jobs."
    )


class JobRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prune: bool = Field(False, description="Also remove files from the index that no longer exist.")
    retry_failed: bool = Field(False, description="Only retry files that failed before.")


class JobStarted(BaseModel):
    job: str = Field(examples=["5f0c1a2b3c4d5e6f"])


class Failure(BaseModel):
    name: str
    reason: str


class Job(BaseModel):
    """The progress of an index job."""

    job: str
    state: Literal["running", "done", "failed", "canceled"]
    watch: bool = Field(description="Whether it was started because folders have changed.")
    files: int = Field(description="Number of new and changed files that are done.")
    total: int = Field(description="Number of new and changed files.")
    windows: int
    footage_seconds: float
    states: dict[str, int] = Field(
        description="Number of files by outcome; `missing` ones are gone, and removed by a job with `prune`."
    )
    failures: list[Failure] = Field(
        description="The first hundred files that failed, or whose subtitles can't be read."
    )
    missing: list[str] = Field(description="The `roots` that aren't there, so they were skipped.")
    message: str = Field(description="Why the job failed; empty if it didn't.")
    started: float
    ended: float | None


class JobList(BaseModel):
    jobs: list[Job] = Field(description="The newest first.")
