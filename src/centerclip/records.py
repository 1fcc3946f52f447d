"""The values that cross module boundaries: plain frozen dataclasses over numpy.

They know neither torch, nor av, nor the index.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:  # numpy takes 0.1 s to import, which the command line's help doesn't need
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "DECODE_ON",
    "SAMPLINGS",
    "SORTS",
    "BackendCost",
    "Cue",
    "EncodedVideo",
    "EncodedWindow",
    "Failed",
    "Item",
    "Recorded",
    "RecordedSource",
    "Sampling",
    "Sort",
    "Track",
    "Transcript",
    "VideoInfo",
    "Window",
    "WindowCost",
]

Sampling: TypeAlias = Literal["cheapest", "budget", "keys", "center"]
"""Which frame represents a stride of a window: the one that costs least to decode (`cheapest`); a key frame,
if need be of the stride before or after it (`keys`); either, by what it saves (`budget`); the one at its
center."""
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)
DECODE_ON = ("cpu", "gpu")
Sort: TypeAlias = Literal["score", "date", "oldest"]
"""The order of the hits found: best first, or by when their videos were recorded, newest or oldest first."""
SORTS: tuple[Sort, ...] = get_args(Sort)


@dataclass(frozen=True, slots=True)
class Item:
    """A video to embed: a file, or its part from `start_seconds` to `end_seconds`; None means the file's own.

    `id` is its name in a data set.
    """

    path: Path
    start_seconds: float | None = None
    end_seconds: float | None = None
    id: str = ""


RecordedSource: TypeAlias = Literal["container", "modified"]
"""Where the time of a recording is from: the file's own metadata, or the time when the file was changed."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """When a recording began, in seconds since the epoch.

    `zone_minutes` is how far the clocks of the place were ahead of UTC; None if the file only has UTC.
    """

    seconds: float
    zone_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Metadata of a file; `modified_seconds` counts from the epoch.

    `width` and `height` are those of the upright picture (rotation applied).
    `video_id` is a hash of the content, so a moved file keeps it.
    `recorded` is what the container says; None if it doesn't, so that `modified_seconds` stands in for it.
    """

    path: Path
    video_id: str
    duration_seconds: float
    width: int
    height: int
    frame_rate: float
    codec: str
    size_bytes: int
    modified_seconds: float
    recorded: Recorded | None = None

    @property
    def recorded_seconds(self) -> float:
        """When the video was recorded, in seconds since the epoch, as far as known."""
        return self.modified_seconds if self.recorded is None else self.recorded.seconds

    @property
    def recorded_source(self) -> RecordedSource:
        return "modified" if self.recorded is None else "container"

    @property
    def recorded_zone(self) -> int | None:
        """Minutes by which the clocks of the place were ahead of UTC, if known."""
        return None if self.recorded is None else self.recorded.zone_minutes


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a file, encoded as one video; seconds from the file's first frame."""

    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class EncodedWindow:
    """A window's embeddings.

    Attributes:
        vector: [E] float32, unit length.
        segments: [S, E] float32, each unit length, in time order.
        bounds: [S + 1] float64, ascending: segment s lasts from `bounds[s]` to `bounds[s + 1]`, in seconds
            from the file's first frame; the first and last are the window's start and end.
        pictures: pairs of start in seconds and JPEG file, in time order; each shows the window from its start
            on, and the first starts with the window.
    """

    window: Window
    vector: NDArray[np.float32]
    segments: NDArray[np.float32]
    bounds: NDArray[np.float64]
    pictures: tuple[tuple[float, bytes], ...]


@dataclass(frozen=True, slots=True)
class EncodedVideo:
    """An encoded file: at least one window, in time order."""

    info: VideoInfo
    windows: tuple[EncodedWindow, ...]

    @property
    def path(self) -> Path:
        return self.info.path


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that can't be encoded, and why, in words for its owner.

    `stamp` is the file's size in bytes and its time of modification when it was tried; None for the present
    ones.
    """

    path: Path
    reason: str
    stamp: tuple[int, float] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that are said during a stretch of a file; seconds from its first frame."""

    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Track:
    """Cues from one source, in order of start, of which no two start at the same millisecond.

    `source` is the name of a subtitle file, `stream 2`, or `model small`. `language` is a code
    such as `en`; "" if it isn't known.
    """

    source: str
    language: str
    cues: tuple[Cue, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is known about the words of a file.

    Attributes:
        tracks: one for each source of cues.
        problems: what couldn't be read, and why, in words for the owner of the file.
        stamp: text that differs if the file or its subtitles were changed.
        model: the speech model that was used on it; "" if none was.
    """

    tracks: tuple[Track, ...]
    problems: tuple[str, ...]
    stamp: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class WindowCost:
    """What encoding takes per window: seconds, and processor seconds of all cores; medians of `rounds`.

    `schedule` is in notation.
    """

    schedule: str
    seconds: float
    processor_seconds: float
    rounds: int


@dataclass(frozen=True, slots=True)
class BackendCost:
    """What encoding with a backend takes on one machine, and how exact it is.

    Attributes:
        backend, precision: as `centerclip.embedding.device.prepare` accepts them.
        processor_seconds: of all cores, per window; the median of several rounds.
        start_seconds: processor time before the first window: preparing, translating.
        cosine: the lowest of its embeddings, of windows and segments, with those of torch in float32.
        failure: why the backend can't run the model; "" if it can. Then the figures mean nothing.
    """

    backend: str
    precision: str
    processor_seconds: float
    start_seconds: float
    cosine: float
    failure: str = ""
