"""Results of an evaluation: ranks in both directions and their summaries, plain and re-scored."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from centerclip.datasets import Dataset
from centerclip.metrics import Estimate, Summary
from centerclip.records import Failed

__all__ = ["Evaluation", "Rescored"]


@dataclass(frozen=True, kw_only=True)
class Rescored:
    """The ranks after one re-scoring of the similarities.

    A bank of captions can't correct queries that are videos, so with a bank there is no video-to-text.
    """

    name: str
    transductive: bool
    """Uses all test queries at once, so the figures can't be compared with plain ones."""
    bank: int | None = None
    """Number of training captions in the bank; None without a bank."""
    text_to_video: Summary
    video_to_text: Summary | None = None
    text_to_video_ranks: NDArray[np.float64]
    video_to_text_ranks: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The result of one schedule and reducer, and its settings."""

    schedule: str
    reducer: str
    """`none` for the schedule `none`, which needs no reducer."""
    fingerprint: str
    frames: int
    precision: str
    multiply_adds: int
    """Per video, in the vision tower, see `TokenSchedule.multiply_adds`."""
    protocol: str
    """Protocol of video-to-text, see `metrics.video_to_text_ranks`."""
    videos: int
    captions: int
    missing: tuple[str, ...]
    """Ids of videos that were left out: not found, without captions, or impossible to decode."""
    failed: tuple[Failed, ...]
    """The files that can't be decoded."""
    text_to_video: Summary
    video_to_text: Summary
    text_to_video_ranks: NDArray[np.float64]
    """[captions], in the order of `dataset.captions`."""
    video_to_text_ranks: NDArray[np.float64]
    """[videos with a caption], in the order of `dataset.videos`."""
    rescored: tuple[Rescored, ...]
    against_reverse: Estimate | None = None
    """How often a caption is closer to its video than to the reversed one, in percent; chance is 50."""
    dataset: Dataset = field(repr=False)
    """The data set without the missing videos."""
