"""The notation: after which block how many segments and tokens remain, and what that costs.

The notation is the paper's: `B6-4,49` cuts the frames into 4 segments after block 6 and keeps 49
tokens of each; stages are joined by `;`; `none` keeps everything. Knows no tensors and no model.

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
    """How many frames fall into each segment: frame `t` belongs to `floor(t * segments / frames)`.

    Args:
        frames: T >= segments.
        segments: S >= 1.

    Returns:
        S sizes that sum to T and differ by at most one.

    Raises:
        ScheduleError: not 1 <= segments <= frames.
    """
    if not 1 <= segments <= frames:
        raise ScheduleError(
            f"{frames} frames can't be cut into {segments} segments: ask for 1 to {frames} segments"
        )
    sizes = [0] * segments
    for frame in range(frames):
        sizes[frame * segments // frames] += 1
    return tuple(sizes)


@dataclass(frozen=True, slots=True, order=True)
class Reduction:
    """One change of the token count: after `block` blocks, `segments` sequences of `tokens` patch tokens."""

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
    """The reductions of a model, in the order of their blocks; empty for the plain model.

    Raises:
        ScheduleError: blocks that don't ascend, or segments that grow.
    """

    reductions: tuple[Reduction, ...] = ()

    def __post_init__(self) -> None:
        for before, after in zip(self.reductions, self.reductions[1:], strict=False):
            if after.block <= before.block:
                raise ScheduleError(f"{self}: stages must stand in ascending order of block, each block once")
            if after.segments > before.segments:
                raise ScheduleError(
                    f"{self}: segments grow from {before.segments} to {after.segments}; they may only shrink"
                )

    @classmethod
    def parse(cls, text: str | TokenSchedule) -> TokenSchedule:
        """Read `none`, `B6-4,49` or several stages joined by `;`.

        Raises:
            ScheduleError: the text is not of that form; the message shows the form.
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
                    f"schedule {text!r} is not understood at {part.strip()!r}: write B<block>-<segments>,"
                    "<tokens>, as in B6-4,49, stages joined by ';', or none"
                )
            stages.append(Reduction(*(int(number) for number in match.groups())))
        return cls(tuple(stages))

    def __str__(self) -> str:
        return ";".join(map(str, self.reductions)) or "none"

    def __bool__(self) -> bool:
        return bool(self.reductions)

    def validate(self, *, blocks: int, frames: int, patches: int) -> None:
        """Check that the schedule can run on a model and a number of frames.

        Args:
            blocks: transformer blocks of the vision tower.
            frames: T frames a video.
            patches: P patch tokens a frame.

        Raises:
            ScheduleError: the message names the stage and the rule it breaks.
        """
        for stage in self.reductions:
            if stage.block >= blocks:
                raise ScheduleError(
                    f"{stage}: the model has {blocks} blocks, so a reduction can stand after block 1 to "
                    f"{blocks - 1}"
                )
            if stage.segments > frames:
                raise ScheduleError(
                    f"{stage}: {stage.segments} segments need at least as many frames, but there are {frames}"
                )
            smallest = (frames // stage.segments) * patches
            if stage.tokens > smallest:
                raise ScheduleError(
                    f"{stage}: the smallest segment has {frames // stage.segments} x {patches} = {smallest} "
                    f"tokens, so at most {smallest} can be kept"
                )
            frames, patches = stage.segments, stage.tokens

    def fit(self, *, frames: int, patches: int) -> TokenSchedule:
        """The nearest schedule that a video with fewer frames allows.

        Segments shrink until each holds enough tokens; a stage that would keep more tokens than there
        are keeps all of them. With enough frames the schedule comes back unchanged.

        Args:
            frames: frames the video really has, at least 1.
            patches: P patch tokens a frame.
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
        """Sequences that leave the tower for a video of `frames` frames: S, or T for `none`."""
        return self.reductions[-1].segments if self.reductions else frames

    def frames_per_segment(self, frames: int) -> tuple[int, ...]:
        """How many of a video's frames each sequence that leaves the tower covers, in the order of time.

        Args:
            frames: T, enough for every stage.
        """
        sizes: Sequence[int] = (1,) * frames
        for stage in self.reductions:
            ends = [0, *accumulate(segment_sizes(len(sizes), stage.segments))]
            sizes = [sum(sizes[start:end]) for start, end in pairwise(ends)]
        return tuple(sizes)

    def tokens_by_block(self, *, blocks: int, frames: int, patches: int) -> list[tuple[int, int]]:
        """(sequences, patch tokens a sequence) that enter each block of the tower, first block first."""
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
    ) -> int:
        """Multiply-adds of one video's way through the vision tower (without head and clustering).

        Counts the matrix products of the patch embedding, the four attention projections, the two
        attention products and the two layers of the feed-forward part.

        Args:
            width: D of the tower.
            mlp_width: hidden width of the feed-forward part.
            patch_pixels: inputs of the patch embedding, 3 * patch * patch.
            class_token: whether a sequence carries one token beside its patches.
            whole_last_block: whether the last block runs for all tokens, as the paper counts it, or for one
                of each sequence, which is all that a tower with class tokens reads.
        """
        total = frames * patches * width * patch_pixels
        for block, (sequences, kept) in enumerate(
            self.tokens_by_block(blocks=blocks, frames=frames, patches=patches), start=1
        ):
            length = kept + class_token
            read = length if whole_last_block or block < blocks else 1
            projections = 2 * (read + length) * width * width  # of queries and output, of keys and values
            total += sequences * (projections + 2 * read * width * (length + mlp_width))
        return total
