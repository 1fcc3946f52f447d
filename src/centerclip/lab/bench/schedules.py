"""What token schedules cost on one model: time, multiply-adds, and the tokens that reach a reduction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from centerclip.clustering import Clustering, Reducer, Tokens, reduce
from centerclip.lab.bench.timing import Spread, Timing, clock_of, take_turns
from centerclip.model import CenterCLIP
from centerclip.schedule import TokenSchedule

__all__ = [
    "Reducible",
    "ScheduleCost",
    "encoding",
    "measure_schedules",
    "reduced_tokens",
]


@dataclass(frozen=True, slots=True)
class ScheduleCost:
    """What a video costs under a schedule.

    `timing` is of the batch of `videos` that was encoded; `multiply_adds` are those of the vision tower for
    one video.
    """

    schedule: TokenSchedule
    videos: int
    multiply_adds: int
    timing: Timing

    @property
    def seconds(self) -> Spread:
        """On the wall, a video."""
        return self.timing.wall * (1 / self.videos)


def measure_schedules(
    model: CenterCLIP,
    schedules: Sequence[str | TokenSchedule],
    frames: Tensor,
    *,
    rounds: int = 7,
    warmup: int = 1,
) -> list[ScheduleCost]:
    """Time the encoding of the same videos under several schedules, which take turns.

    Args:
        model: its weights, reducer, device and precision are used, its schedule is not.
        schedules: notation or presets, each once.
        frames: [B, T, 3, H, W] uint8; normalizing them is part of the time.

    Returns:
        A cost a schedule, in their order.

    Raises:
        ScheduleError: a schedule doesn't fit the model.
    """
    frames = frames.to(model.device)
    models = [model.with_(schedule=schedule) for schedule in schedules]
    runs = {str(made.schedule): encoding(made, frames) for made in models}
    timings = take_turns(runs, rounds=rounds, warmup=warmup, clock=clock_of(model.device))
    return [
        ScheduleCost(
            made.schedule,
            len(frames),
            made.backbone.multiply_adds(made.schedule, frames.shape[1]),
            timings[str(made.schedule)],
        )
        for made in models
    ]


def encoding(model: CenterCLIP, frames: Tensor) -> Callable[[], Tensor]:
    """The encoding of uint8 frames [B, T, 3, H, W] to segment embeddings, as a call."""
    return torch.inference_mode()(lambda: model.encode_segments(model.preprocess(frames).to(dtype_of(model))))


def dtype_of(model: CenterCLIP) -> torch.dtype:
    """The type that the vision tower computes in."""
    return model.logit_scale.dtype


@dataclass(frozen=True, slots=True)
class Reducible:
    """What reached a reduction: tokens x [G, n, L, D], and K."""

    tokens: Tokens
    k: int

    def reduce(self, reducer: Reducer) -> Tokens:
        return reduce(self.tokens, self.k, reducer)

    @property
    def sequences(self) -> Tensor:
        """[G, n * P, D]: the sets of tokens that are clustered."""
        return self.tokens.sequence


@torch.inference_mode()
def reduced_tokens(model: CenterCLIP, frames: Tensor) -> list[Reducible]:
    """Catch the tokens of real frames where the model's schedule reduces them.

    Args:
        frames: [B, T, 3, H, W] uint8.

    Returns:
        One entry for each call of the reducer: one a stage, or two where its segments differ in length.
    """
    catcher = _Catcher(model.reducer)
    encoding(model.with_(schedule=model.schedule, reducer=catcher), frames.to(model.device))()
    return catcher.caught


@dataclass(frozen=True)
class _Catcher(Reducer):
    """A reducer that remembers what it was given."""

    reducer: Reducer
    caught: list[Reducible] = field(default_factory=list)

    @property
    def blends(self) -> bool:
        return self.reducer.blends

    def choose(self, tokens: Tokens, k: int) -> Tensor | Clustering:
        return self._catch(tokens, k).choose(tokens, k)

    def blend(self, tokens: Tokens, k: int) -> Tensor:
        return self._catch(tokens, k).blend(tokens, k)

    def _catch(self, tokens: Tokens, k: int) -> Reducer:
        self.caught.append(Reducible(tokens.map(torch.clone), k))
        return self.reducer
