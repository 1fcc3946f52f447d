"""What training and evaluation need of a data set: videos, captions, and which belongs to which.

A reader makes a `Dataset` from a set's published files; nothing here opens a video.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import DatasetError

__all__ = ["Caption", "Dataset", "VideoItem"]


@dataclass(frozen=True, slots=True)
class VideoItem:
    """One item of the gallery: a file, or the part of it from `start_seconds` to `end_seconds`."""

    id: str
    path: Path
    start_seconds: float | None = None
    end_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Caption:
    """One sentence and the position in `Dataset.videos` of the video it describes."""

    text: str
    video: int


@dataclass(frozen=True)
class Dataset:
    """A split of a data set.

    `missing` are the ids of videos that the split names but whose files were not found, left out of
    `videos` with their captions because the caller allowed it.
    `frames` and `words` are the protocol's: frames a video and the longest caption in tokens.

    Raises:
        DatasetError: no videos, no captions, or a caption that is empty or points at no video.
    """

    name: str
    split: str
    videos: tuple[VideoItem, ...]
    captions: tuple[Caption, ...]
    frames: int = 12
    words: int = 32
    missing: tuple[str, ...] = ()
    protocols: tuple[str, ...] = field(default=("caption",))
    """How video-to-text is ranked: `caption`, or `group` beside it (MSVD)."""

    def __post_init__(self) -> None:
        if not self.videos or not self.captions:
            raise DatasetError(
                f"{self.name} {self.split}: {len(self.videos)} videos and {len(self.captions)} captions; "
                "at least one of each is needed. Check the folder of the videos and the annotation file"
            )
        outside = next((c for c in self.captions if not 0 <= c.video < len(self.videos)), None)
        if outside is not None:
            raise DatasetError(
                f"{self.name} {self.split}: caption {outside.text!r} points at video {outside.video}, "
                f"but there are {len(self.videos)}"
            )
        empty = next((c for c in self.captions if not c.text.strip()), None)
        if empty is not None:
            raise DatasetError(
                f"{self.name} {self.split}: a caption of video {self.videos[empty.video].id} is empty; a "
                "caption needs a word at least"
            )

    def video_of_caption(self) -> NDArray[np.int64]:
        """[captions] int64: the position in `videos` of each caption's video, the ground truth."""
        return np.array([caption.video for caption in self.captions], dtype=np.int64)

    def without(self, positions: Collection[int]) -> Dataset:
        """The data set without some videos, by position, and their captions; `missing` lists them then.

        Raises:
            DatasetError: no video with a caption is left.
        """
        kept = [position for position in range(len(self.videos)) if position not in positions]
        moved = {before: after for after, before in enumerate(kept)}
        return replace(
            self,
            videos=tuple(self.videos[position] for position in kept),
            captions=tuple(
                Caption(caption.text, moved[caption.video])
                for caption in self.captions
                if caption.video in moved
            ),
            missing=(*self.missing, *(self.videos[position].id for position in sorted(positions))),
        )
