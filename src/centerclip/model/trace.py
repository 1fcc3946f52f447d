"""Follows patch tokens through the stages of a schedule, for whoever wants to look at what was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from centerclip.model.segments import SegmentGroup, in_order
from centerclip.schedule import Reduction

__all__ = ["Stage", "Tracer"]


@dataclass(frozen=True, slots=True)
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


class Tracer:
    """Follows every patch token of B videos through the stages.

    Args:
        batch, frames, patches: B, T, P.
    """

    def __init__(self, batch: int, frames: int, patches: int, *, device: torch.device) -> None:
        self.stages: list[Stage] = []
        self._shape = (batch, frames, patches)
        own = torch.arange(frames * patches, device=device).expand(batch, -1)
        self._origin: Tensor | None = own  # [B, n*P'] position in the video of each present token
        self._owner: Tensor | None = own  # [B, T*P] the present token that each of the video's belongs to
        self._frame_segments = tuple(range(frames))
        self._present = patches  # P', tokens in a sequence

    def record(self, reduction: Reduction, groups: Sequence[SegmentGroup]) -> None:
        """Take down one stage; stages come in order."""
        self._frame_segments = self._segments_of_frames(groups)
        kept = [self._kept(group) for group in groups]
        labels = [group.reduced.labels for group in groups]
        if all(part is not None for part in labels) and self._owner is not None:
            self._owner = self._relabel(groups, reduction.tokens).gather(1, self._owner)  # [B, T*P]
        else:
            self._owner = None
        if all(part is not None for part in kept):
            origin = in_order([part for part in kept if part is not None], groups)  # [B, S, K]
        else:
            origin = None
        self._origin = None if origin is None else origin.flatten(1)
        owner = None if self._owner is None else self._owner.remainder(reduction.tokens).view(self._shape)
        self.stages.append(Stage(reduction, self._frame_segments, origin, owner))
        self._present = reduction.tokens

    def _segments_of_frames(self, groups: Sequence[SegmentGroup]) -> tuple[int, ...]:
        segment_of = {
            sequence: segment
            for group in groups
            for segment, sequences in zip(group.segments.tolist(), group.sequences.tolist(), strict=True)
            for sequence in sequences
        }
        return tuple(segment_of[sequence] for sequence in self._frame_segments)

    def _members(self, group: SegmentGroup) -> Tensor:
        """[S_g, n*P'] the present tokens of each segment, as positions among all present ones."""
        inside = torch.arange(self._present, device=group.sequences.device)
        return (group.sequences.unsqueeze(-1) * self._present + inside).flatten(1)

    def _kept(self, group: SegmentGroup) -> Tensor | None:
        if group.reduced.kept is None or self._origin is None:
            return None
        batch = self._shape[0]
        members = self._members(group).expand(batch, -1, -1)  # [B, S_g, n*P']
        present = members.gather(
            2, group.reduced.kept.view(batch, -1, group.reduced.kept.shape[1])
        )  # [B, S_g, K]
        return self._origin.gather(1, present.flatten(1)).view(present.shape)

    def _relabel(self, groups: Sequence[SegmentGroup], tokens: int) -> Tensor:
        """[B, n*P'] the new token, counted through all segments, that each present token belongs to."""
        batch = self._shape[0]
        total = sum(group.sequences.numel() for group in groups) * self._present
        new = torch.empty(batch, total, dtype=torch.int64, device=groups[0].segments.device)
        for group in groups:
            labels = group.reduced.labels
            assert labels is not None
            firsts = group.segments.view(1, -1, 1) * tokens
            new[:, self._members(group)] = labels.view(batch, -1, labels.shape[1]) + firsts  # [B, S_g, n*P']
        return new
