"""The JSON of the REST API as typed models, which `centerclip.client` returns too."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "CurveMoment",
    "Error",
    "ErrorBody",
    "Failure",
    "FoundMoment",
    "Job",
    "JobRequest",
    "JobStarted",
    "LibraryStats",
    "Model",
    "ScoreCurve",
    "SearchResult",
    "Video",
    "VideoList",
]

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


class FoundMoment(_File):
    """A moment that matches a query."""

    rank: int = Field(description="1 is the best hit.", examples=[1])
    start: float = Field(description="Seconds from the start of the file.", examples=[6.5])
    end: float = Field(examples=[13.0])
    score: float = Field(description="A cosine; comparable within one query only.")
    strength: float = Field(
        description="From 0, like an unrelated window, to 1, the best hit.", ge=0, le=1, examples=[1.0]
    )
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


class VideoList(BaseModel):
    total: int
    offset: int
    limit: int
    videos: list[Video]


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
    files: int = Field(description="Number of new and changed files that are done.")
    total: int = Field(description="Number of new and changed files.")
    windows: int
    footage_seconds: float
    states: dict[str, int] = Field(description="Number of files by outcome.")
    failures: list[Failure] = Field(description="The first hundred files that failed.")
    missing: list[str] = Field(description="The `roots` that aren't there, so they were skipped.")
    message: str = Field(description="Why the job failed; empty if it didn't.")
    started: float
    ended: float | None
