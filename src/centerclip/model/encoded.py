"""The result of encoding: embeddings, and optionally what each reduction did."""

from dataclasses import dataclass

from torch import Tensor

from centerclip.clustering import Tokens
from centerclip.schedule import Reduction, TokenSchedule

__all__ = ["Encoded", "Stage", "make_stage"]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What one reduction did, in terms of the video's T * P patch tokens.

    Attributes:
        reduction: the stage of the schedule.
        frame_segments: [T] the segment of each frame.
        kept: [B, S, K] int64, ascending indices of the kept tokens among the video's T * P (frame, then row,
            then column); None if tokens were blended.
        labels: [B, T, P] int64 in 0..K-1, which kept token of its segment each token belongs to; None if the
            reducer doesn't say.
    """

    reduction: Reduction
    frame_segments: tuple[int, ...]
    kept: Tensor | None
    labels: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Embeddings of B videos.

    Attributes:
        video: [B, E], unit length: the normalized mean of the video's segments.
        segments: [B, S, E], unit length. A short video with S' < S segments repeats them in temporal order:
            entry s is segment floor(s * S' / S). Repetitions don't affect `video`.
        stages: what each reduction did, if traced.
    """

    video: Tensor
    segments: Tensor
    stages: tuple[Stage, ...] = ()


def make_stage(
    schedule: TokenSchedule, tokens: Tokens, *, frames: int, grid: tuple[int, int], blended: bool
) -> Stage:
    """Describe the last reduction of a schedule by its result.

    Args:
        schedule: the reductions so far.
        tokens: x [B, S, L, D], with owners if known.
        frames: T.
        grid: (rows, columns) of a frame's patches.
        blended: whether the reducer blends, so that no token is one of the video's.
    """
    reduction = schedule.reductions[-1]
    sizes = schedule.frames_per_segment(frames)
    frame_segments = tuple(segment for segment, size in enumerate(sizes) for _ in range(size))
    rows, columns = grid
    kept = labels = None
    if not blended:
        frame, row, column = tokens.positions.long().unbind(-1)
        kept = (frame * rows + row) * columns + column  # [B, S, K]
    if tokens.owners is not None:
        labels = (tokens.owners % reduction.tokens).view(-1, frames, rows * columns)  # [B, T, P]
    return Stage(reduction, frame_segments, kept, labels)
