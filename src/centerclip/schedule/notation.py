"""Token schedules: where a model reduces tokens, to how many, and what that costs.

The notation is the paper's: `B6-4,49` cuts the frames into 4 segments after block 6 and keeps 49 tokens of
each; stages are joined by `;`; `none` keeps everything.

Source: CenterCLIP (arXiv 2205.00823) section 4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from centerclip.errors import ScheduleError

__all__ = ["Reduction", "TokenSchedule", "segment_sizes"]

_STAGE = re.compile(r"B(\d+)-(\d+),(\d+)", re.IGNORECASE)


def segment_sizes(frames: int, segments: int) -> tuple[int, ...]:
    """Count the frames of each segment; frame `t` belongs to segment `floor(t * segments / frames)`.

    Returns:
        One size per segment. They sum to `frames` and differ by at most one.

    Raises:
        ScheduleError: not 1 <= segments <= frames.
    """
    if not 1 <= segments <= frames:
        raise ScheduleError(
            f"{frames} frames can't be cut into {segments} segments: choose 1 to {frames} segments"
        )
    sizes = [0] * segments
    for frame in range(frames):
        sizes[frame * segments // frames] += 1
    return tuple(sizes)


@dataclass(frozen=True, slots=True, order=True)
class Reduction:
    """One reduction: after `block` blocks, `segments` sequences of `tokens` patch tokens remain."""

    block: int
    segments: int
    tokens: int

    def __post_init__(self) -> None:
        for name, value in (("block", self.block), ("segments", self.segments), ("tokens", self.tokens)):
            if value < 1:
                raise ScheduleError(f"{self}: {name} is {value}, but must be at least 1")

    def __str__(self) -> str:
        return f"B{self.block}-{self.segments},{self.tokens}"


@dataclass(frozen=True, slots=True)
class TokenSchedule:
    """A model's reductions in block order; empty for the plain model.

    Raises:
        ScheduleError: blocks that don't ascend, or segments that grow.
    """

    reductions: tuple[Reduction, ...] = ()

    def __post_init__(self) -> None:
        for before, after in pairwise(self.reductions):
            if after.block <= before.block:
                raise ScheduleError(f"{self}: stages must be in ascending order of block, one per block")
            if after.segments > before.segments:
                raise ScheduleError(
                    f"{self}: segments grow from {before.segments} to {after.segments}; they may only shrink"
                )

    @classmethod
    def parse(cls, text: str | TokenSchedule) -> TokenSchedule:
        """Read `none`, `B6-4,49` or several stages joined by `;`.

        Raises:
            ScheduleError: malformed text.
        """
        if isinstance(text, TokenSchedule):
            return text
        if text.strip().lower() == "none":
            return cls()
        stages = []
        for part in text.split(";"):
            match = _STAGE.fullmatch(part.strip())
            if match is None:
                raise ScheduleError(
                    f"schedule {text!r} can't be read at {part.strip()!r}: write B<block>-<segments>,<tokens>"
                    ", such as B6-4,49, with stages joined by ';', or none"
                )
            stages.append(Reduction(*(int(number) for number in match.groups())))
        return cls(tuple(stages))

    def __str__(self) -> str:
        return ";".join(map(str, self.reductions)) or "none"

    def __bool__(self) -> bool:
        return bool(self.reductions)

    def validate(self, *, blocks: int, frames: int, patches: int) -> None:
        """Check that the schedule fits a model.

        Args:
            blocks: number of blocks of the vision tower.
            frames: T, frames per video.
            patches: P, patch tokens per frame.

        Raises:
            ScheduleError: a stage doesn't fit.
        """
        for stage in self.reductions:
            if stage.block >= blocks:
                raise ScheduleError(
                    f"{stage}: the model has {blocks} blocks, so reduce after one of blocks 1 to {blocks - 1}"
                )
            if stage.segments > frames:
                raise ScheduleError(
                    f"{stage}: {stage.segments} segments need at least as many frames, but there are {frames}"
                    ": use more frames, or a schedule of fewer segments"
                )
            shortest = frames // stage.segments
            smallest = shortest * patches
            if stage.tokens > smallest:
                raise ScheduleError(
                    f"{stage}: the smallest segment has {shortest} x {patches} tokens, so keep at most "
                    f"{smallest}"
                )
            frames, patches = stage.segments, stage.tokens

    def fit(self, *, frames: int, patches: int) -> TokenSchedule:
        """Adapt the schedule to a video with fewer frames; with enough frames it stays unchanged.

        The number of segments shrinks until each has enough tokens. A stage that would keep more tokens than
        there are keeps all of them.

        Args:
            frames: the video's frames, at least 1.
            patches: P, patch tokens per frame.
        """
        fitted = []
        for stage in self.reductions:
            frames_needed = -(-stage.tokens // patches)
            segments = max(1, min(stage.segments, frames // frames_needed))
            tokens = min(stage.tokens, (frames // segments) * patches)
            fitted.append(Reduction(stage.block, segments, tokens))
            frames, patches = segments, tokens
        return TokenSchedule(tuple(fitted))

    def segments(self, frames: int) -> int:
        """Count the segments of a video of `frames` frames: S, or T for `none`."""
        return self.reductions[-1].segments if self.reductions else frames

    def frames_per_segment(self, frames: int) -> tuple[int, ...]:
        """Count the frames that each final segment covers, in temporal order; T = `frames` must suffice."""
        sizes: Sequence[int] = (1,) * frames
        for stage in self.reductions:
            ends = [0, *accumulate(segment_sizes(len(sizes), stage.segments))]
            sizes = [sum(sizes[start:end]) for start, end in pairwise(ends)]
        return tuple(sizes)

    def tokens_by_block(self, *, blocks: int, frames: int, patches: int) -> list[tuple[int, int]]:
        """List (sequences, patch tokens per sequence) that enter each block."""
        counts = []
        stages = {stage.block: stage for stage in self.reductions}
        for block in range(blocks):
            if block in stages:
                frames, patches = stages[block].segments, stages[block].tokens
            counts.append((frames, patches))
        return counts

    def multiply_adds(
        self,
        *,
        blocks: int,
        frames: int,
        patches: int,
        width: int,
        mlp_width: int,
        patch_pixels: int,
        class_token: bool = True,
        whole_last_block: bool = True,
        pooling: int = 0,
    ) -> int:
        """Count the multiply-adds of the vision tower for one video, without projection and clustering.

        Counts the matrix products of the patch embedding, the four attention projections, the two attention
        products and the two MLP layers, and the same of an attention pooling.

        Args:
            blocks, frames, patches: as in `validate`.
            width: D of the tower.
            mlp_width: hidden width of the MLP.
            patch_pixels: inputs of the patch embedding, 3 * patch_size².
            class_token: whether sequences have a class token.
            whole_last_block: whether the last block computes all tokens, as in the paper, or only one per
                sequence, which is all that CLIP needs.
            pooling: hidden width of the attention pooling's MLP; 0 if the tower has no attention pooling.
        """
        total = frames * patches * width * patch_pixels
        for block, (sequences, kept) in enumerate(
            self.tokens_by_block(blocks=blocks, frames=frames, patches=patches), start=1
        ):
            length = kept + class_token
            read = length if whole_last_block or block < blocks else 1
            projections = 2 * (read + length) * width * width  # of queries and output, of keys and values
            total += sequences * (projections + 2 * read * width * (length + mlp_width))
        if pooling:  # by a single query per sequence
            total += sequences * 2 * width * ((1 + length) * width + length + pooling)
        return total
