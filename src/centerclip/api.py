"""The JSON of the REST API, as typed models; `centerclip.client` gives the same back."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Curve",
    "Error",
    "ErrorBody",
    "Failure",
    "Hit",
    "Job",
    "JobStarted",
    "JobWanted",
    "Model",
    "Moment",
    "SearchResult",
    "Stats",
    "Video",
    "VideoList",
]

_VIDEO_ID = "c4d5e99b5aa00db6b8df9b74c22a4f45"


class Error(BaseModel):
    code: str = Field(description="A word for programs.", examples=["not_found"])
    message: str = Field(description="A sentence for people.", examples=["the index has no video 'x'"])


class ErrorBody(BaseModel):
    error: Error


class _File(BaseModel):
    """What is known of a file, without the folder it lies in on the server."""

    video_id: str = Field(description="A hash of the file's content.", examples=[_VIDEO_ID])
    name: str = Field(description="The file's name.", examples=["four-seasons.mp4"])
    folder: str = Field(description="Its folder, relative to the library.", examples=["garden"])
    duration: float = Field(description="Seconds.", examples=[26.0])
    width: int = Field(examples=[640])
    height: int = Field(examples=[360])
    modified: float = Field(description="When the file was changed, seconds since 1970.")
    playable: bool = Field(description="Whether browsers play the file itself; else use `clip`.")
    media: str = Field(description="The file, by byte ranges.", examples=[f"/media/{_VIDEO_ID}"])


class Hit(_File):
    """A moment that answers a query."""

    rank: int = Field(description="From 1.", examples=[1])
    start: float = Field(description="Seconds from the file's start.", examples=[6.5])
    end: float = Field(examples=[13.0])
    score: float = Field(description="A cosine: it ranks the hits of one query and means no more.")
    strength: float = Field(
        description="Between an unrelated window (0) and the best hit (1).", ge=0, le=1, examples=[1.0]
    )
    window_start: float = Field(description="The window that was compared; for more like this.")
    window_end: float
    thumbnail: str = Field(examples=[f"/thumbnails/{_VIDEO_ID}?t=6.5"])
    clip: str = Field(
        description="The moment in a form that browsers play.",
        examples=[f"/clips/{_VIDEO_ID}?start=6.5&end=13"],
    )


class SearchResult(BaseModel):
    query: str = Field(examples=["beach + sunset - people"])
    version: int = Field(description="Of the index that was searched; it grows with each change.")
    hits: list[Hit]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class Video(_File):
    """A file of the library."""

    state: Literal["done", "failed"]
    reason: str = Field(description="Why it failed.")
    size: int = Field(description="Bytes.")
    frame_rate: float
    codec: str = Field(examples=["h264"])
    windows: int = Field(description="Windows that are indexed of it.")
    indexed: float = Field(description="When, seconds since 1970.")
    thumbnail: str | None


class VideoList(BaseModel):
    total: int
    offset: int
    limit: int
    videos: list[Video]


class Moment(BaseModel):
    start: float
    end: float
    score: float


class Curve(BaseModel):
    """A query's score along a video."""

    times: list[tuple[float, float]] = Field(description="Start and end of each segment in seconds.")
    scores: list[float] = Field(description="The cosine of each segment.")
    moments: list[Moment] = Field(description="The video's own moments that answer the query, best first.")


class Model(BaseModel):
    name: str = Field(examples=["nano"])
    schedule: str = Field(description="What tokens are reduced where.", examples=["B6-4,49"])
    reducer: str = Field(examples=["kmedoids"])
    frames: int = Field(description="Frames that are looked at in a window.", examples=[12])
    fingerprint: str
    nano: bool = Field(description="Whether this is the toy model, which knows only the drawn world.")


class Stats(BaseModel):
    videos: int
    windows: int
    seconds: float = Field(description="Of footage.")
    bytes: int = Field(description="Of the index.")
    failed: int = Field(description="Files that could not be read.")
    model: Model
    version: int
    examples: list[str] = Field(description="Queries that have an answer in this library.")
    folders: list[str] = Field(description="What the filter `folder` may be.")


class JobWanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prune: bool = Field(False, description="Forget files that are no longer there.")
    retry_failed: bool = Field(False, description="Try only those that failed before.")


class JobStarted(BaseModel):
    job: str = Field(examples=["5f0c1a2b3c4d5e6f"])


class Failure(BaseModel):
    name: str
    reason: str


class Job(BaseModel):
    """How far an index job is."""

    job: str
    state: Literal["running", "done", "failed", "canceled"]
    files: int = Field(description="Files done of those that need it.")
    total: int = Field(description="Files that need it.")
    windows: int
    footage_seconds: float
    states: dict[str, int] = Field(description="Files by what was done about them.")
    failures: list[Failure] = Field(description="The first hundred files that failed.")
    message: str = Field(description="Why the job failed.")
    started: float
    ended: float | None
