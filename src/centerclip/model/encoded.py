"""What an encoding returns: embeddings, and what each reduction did on the way."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from centerclip.clustering import Tokens
from centerclip.schedule import Reduction

__all__ = ["Encoded", "Stage", "make_stage"]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What one reduction did, in terms of the video's own T * P patch tokens.

    Attributes:
        reduction: the stage of the schedule.
        frame_segments: [T] the segment that each frame belongs to.
        kept: [B, S, K] int64, ascending: positions of the kept tokens among the T * P of the video
            (frame, then row, then column); None where tokens were blended.
        labels: [B, T, P] int64 in 0..K-1: which kept token of its segment each token of the video
            belongs to; None where the reducer does not say.
    """

    reduction: Reduction
    frame_segments: tuple[int, ...]
    kept: Tensor | None
    labels: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Embeddings of B videos.

    Attributes:
        video: [B, E], unit length: the mean of a video's segments, made unit length.
        segments: [B, S, E], unit length. A short video with S' < S segments repeats them in the order of
            time: place s holds segment floor(s * S' / S). Repeated ones don't count twice in `video`.
        stages: what each reduction did, where that was asked for.
    """

    video: Tensor
    segments: Tensor
    stages: tuple[Stage, ...] = ()


def make_stage(
    reduction: Reduction,
    frame_segments: tuple[int, ...],
    tokens: Tokens,
    *,
    grid: tuple[int, int],
    blended: bool,
) -> Stage:
    """Describe a reduction by the tokens [B, S, L, D] that it left, with their owners.

    Args:
        grid: (rows, columns) of a frame's patches.
        blended: whether the reducer blends, so that no token is one of the video's.
    """
    rows, columns = grid
    kept = labels = None
    if not blended:
        frame, row, column = tokens.positions.long().unbind(-1)
        kept = (frame * rows + row) * columns + column  # [B, S, K]
    if tokens.owners is not None:
        labels = (tokens.owners % reduction.tokens).view(-1, len(frame_segments), rows * columns)  # [B, T, P]
    return Stage(reduction, frame_segments, kept, labels)
