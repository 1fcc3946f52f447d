"""What each variant costs: multiply-adds, memory in training, time per step and per video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from centerclip.lab.bench.memory import saved_activations, training_loss
from centerclip.lab.bench.schedules import encoding
from centerclip.lab.bench.timing import clock_of, take_turns
from centerclip.lab.study.config import Variant
from centerclip.model import CenterCLIP

__all__ = ["Cost", "measure_costs"]


@dataclass(frozen=True)
class Cost:
    """What a variant costs, on the batch that was measured.

    Attributes:
        multiply_adds: of the vision tower per video, with only the class token in the last block.
        saved_bytes: what a training step of the batch saves for its backward pass.
        step_seconds: median time of the batch's forward and backward pass.
        video_seconds: median time to encode a video in the batch.
        step_core_seconds, video_core_seconds: the same in processor time, which other programs disturb less.
    """

    multiply_adds: int
    saved_bytes: int
    step_seconds: float
    video_seconds: float
    step_core_seconds: float
    video_core_seconds: float


def measure_costs(
    model: CenterCLIP,
    variants: Sequence[Variant],
    frames: Tensor,
    captions: Sequence[str],
    *,
    rounds: int = 5,
) -> dict[str, Cost]:
    """Measure all variants alternately on the same batch.

    Args:
        model: with any weights; cost doesn't depend on them.
        variants: those with fewer frames take that many of the batch's, in equal strides.
        frames: [B, T, 3, H, W] uint8.
        captions: B sentences.
        rounds: of measuring.

    Returns:
        One cost per variant, by the variant's name.
    """
    count = frames.shape[1]
    models = {
        variant.name: model.with_(temporal=variant.temporal, **variant.settings(count))
        for variant in variants
    }
    batches = {name: _strided(frames, each.frames) for name, each in models.items()}
    clock = clock_of(model.device)
    runs: dict[str, Callable[[], object]] = {
        name: partial(_step, each, batches[name], captions) for name, each in models.items()
    }
    steps = take_turns(runs, rounds=rounds, clock=clock)
    runs = {name: encoding(each.eval(), batches[name]) for name, each in models.items()}
    videos = take_turns(runs, rounds=rounds, clock=clock)
    return {
        name: Cost(
            each.backbone.multiply_adds(each.schedule, each.frames),
            saved_activations(each, batches[name], captions),
            steps[name].wall.median,
            videos[name].wall.median / len(frames),
            steps[name].cpu.median,
            videos[name].cpu.median / len(frames),
        )
        for name, each in models.items()
    }


def _strided(frames: Tensor, count: int) -> Tensor:
    """The centers of `count` equal strides of [B, T, ...]: [B, count, ...]."""
    every = frames.shape[1]
    return frames[:, [(2 * place + 1) * every // (2 * count) for place in range(count)]]


def _step(model: CenterCLIP, frames: Tensor, captions: Sequence[str]) -> None:
    """Forward and backward pass of one training step."""
    model.train()
    with torch.enable_grad():
        training_loss(model, frames, captions).backward()  # type: ignore[no-untyped-call]
    model.zero_grad(set_to_none=True)
