"""What an evaluation finds: the ranks of both directions and their summaries, plain and re-scored."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from centerclip.datasets import Dataset
from centerclip.metrics import Summary
from centerclip.records import Failed

__all__ = ["Evaluation", "Rescored"]


@dataclass(frozen=True, kw_only=True)
class Rescored:
    """What one way to re-score made of the same similarities.

    A bank of captions says nothing about queries that are videos, so with one there is no video-to-text.
    """

    name: str
    transductive: bool
    """It looked at all test queries at once: not to be compared with plain figures."""
    bank: int | None = None
    """Training captions in the bank, where it takes one."""
    text_to_video: Summary
    video_to_text: Summary | None = None
    text_to_video_ranks: NDArray[np.float64]
    video_to_text_ranks: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The result of one schedule and reducer, and where it comes from."""

    schedule: str
    reducer: str
    """`none` for the schedule `none`, which has no use for one."""
    fingerprint: str
    frames: int
    precision: str
    multiply_adds: int
    """Of a video's way through the vision tower, as `TokenSchedule.multiply_adds` counts."""
    protocol: str
    """How video-to-text was ranked, see `metrics.video_to_text_ranks`."""
    videos: int
    captions: int
    missing: tuple[str, ...]
    """Ids of videos that were left out: not found, without captions, or not to be decoded."""
    failed: tuple[Failed, ...]
    """Those among them that could not be decoded, and why."""
    text_to_video: Summary
    video_to_text: Summary
    text_to_video_ranks: NDArray[np.float64]
    """[captions], in the order of `dataset.captions`."""
    video_to_text_ranks: NDArray[np.float64]
    """[videos with a caption], in the order of `dataset.videos`."""
    rescored: tuple[Rescored, ...]
    dataset: Dataset = field(repr=False)
    """What was ranked, without the videos that are missing."""
