"""What token schedules cost on one model: time, multiply-adds, and the tokens at each reduction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from centerclip.clustering import Clustering, Reducer, Tokens
from centerclip.lab.bench.timing import Timing, clock_of, take_turns
from centerclip.model import CenterCLIP
from centerclip.schedule import TokenSchedule

__all__ = ["Reducible", "ScheduleCost", "encoding", "measure_schedules", "reduced_tokens"]


@dataclass(frozen=True, slots=True)
class ScheduleCost:
    """What encoding costs under a schedule.

    `multiply_adds` are those of the vision tower per video; `timing` is of the whole batch.
    """

    schedule: TokenSchedule
    multiply_adds: int
    timing: Timing


def measure_schedules(
    model: CenterCLIP, schedules: Sequence[str | TokenSchedule], frames: Tensor, *, rounds: int = 7
) -> list[ScheduleCost]:
    """Time the encoding of the same videos under several schedules, alternately.

    Args:
        model: provides weights, reducer, device and precision; its own schedule is not used.
        schedules: notation or presets, without repetitions.
        frames: [B, T, 3, H, W] uint8; their normalization is included in the time.

    Returns:
        One cost per schedule, in their order.

    Raises:
        ScheduleError: a schedule doesn't fit the model.
    """
    frames = frames.to(model.device)
    models = [model.with_(schedule=schedule) for schedule in schedules]
    runs = {str(made.schedule): encoding(made, frames) for made in models}
    timings = take_turns(runs, rounds=rounds, clock=clock_of(model.device))
    return [
        ScheduleCost(
            made.schedule,
            made.backbone.multiply_adds(made.schedule, frames.shape[1]),
            timings[str(made.schedule)],
        )
        for made in models
    ]


def encoding(model: CenterCLIP, frames: Tensor) -> Callable[[], Tensor]:
    """A call that encodes uint8 frames [B, T, 3, H, W] to segment embeddings."""
    dtype = model.logit_scale.dtype  # of the vision tower
    return torch.inference_mode()(lambda: model.encode_segments(model.preprocess(frames).to(dtype)))


class Reducible(NamedTuple):
    """The input of a reduction: tokens with x [G, n, L, D], and K."""

    tokens: Tokens
    k: int


@torch.inference_mode()
def reduced_tokens(model: CenterCLIP, frames: Tensor) -> list[Reducible]:
    """Record the tokens of frames where the model's schedule reduces them.

    Args:
        frames: [B, T, 3, H, W] uint8.

    Returns:
        One entry per call of the reducer: one per stage, or two where its segments differ in length.
    """
    recorder = _Recorder(model.reducer)
    encoding(model.with_(schedule=model.schedule, reducer=recorder), frames.to(model.device))()
    return recorder.recorded


@dataclass(frozen=True)
class _Recorder(Reducer):
    """A reducer that records its inputs."""

    reducer: Reducer
    recorded: list[Reducible] = field(default_factory=list)

    @property
    def blends(self) -> bool:
        return self.reducer.blends

    def choose(self, tokens: Tokens, k: int) -> Tensor | Clustering:
        self.recorded.append(Reducible(tokens.map(torch.clone), k))
        return self.reducer.choose(tokens, k)

    def blend(self, tokens: Tokens, k: int) -> Tensor:
        self.recorded.append(Reducible(tokens.map(torch.clone), k))
        return self.reducer.blend(tokens, k)
