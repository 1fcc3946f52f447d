"""What each arm costs: arithmetic, memory in training, time a step and a video, measured in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from centerclip.lab.bench.memory import saved_activations
from centerclip.lab.bench.schedules import encoding
from centerclip.lab.bench.timing import clock_of, take_turns
from centerclip.lab.study.config import Arm
from centerclip.model import CenterCLIP
from centerclip.training.loss import contrastive_loss

__all__ = ["Cost", "measure_costs"]


@dataclass(frozen=True)
class Cost:
    """What one video costs under an arm, at the batch that was measured.

    Attributes:
        multiply_adds: of the vision tower as it encodes, with the last block for the class token alone.
        saved_bytes: what a training step of the whole batch keeps for its backward pass.
        step_seconds: a training step of the batch without the optimizer, median.
        video_seconds: encoding a video in a batch, median.
    """

    multiply_adds: int
    saved_bytes: int
    step_seconds: float
    video_seconds: float


def measure_costs(
    model: CenterCLIP, arms: Sequence[Arm], frames: Tensor, captions: Sequence[str], *, rounds: int = 5
) -> dict[str, Cost]:
    """Measure all arms on the same batch, in turns.

    Args:
        model: its weights, whatever they are; cost doesn't depend on them.
        frames: [B, T, 3, H, W] uint8.
        captions: B sentences.
        rounds: of which the median is taken.

    Returns:
        A cost an arm, by the arm's name.
    """
    models = {
        arm.name: CenterCLIP(
            model.backbone,
            arm.schedule,
            reducer=arm.reducer,
            frames=model.frames,
            temporal=arm.temporal,
        ).to(model.device)
        for arm in arms
    }
    clock = clock_of(model.device)
    steps = take_turns(
        {name: partial(_step, each, frames, captions) for name, each in models.items()},
        rounds=rounds,
        clock=clock,
    )
    encodings: dict[str, Callable[[], object]] = {
        name: encoding(each.eval(), frames) for name, each in models.items()
    }
    videos = take_turns(encodings, rounds=rounds, clock=clock)
    return {
        name: Cost(
            each.backbone.multiply_adds(each.schedule, frames.shape[1]),
            saved_activations(each, frames, captions),
            steps[name].wall.median,
            videos[name].wall.median / len(frames),
        )
        for name, each in models.items()
    }


def _step(model: CenterCLIP, frames: Tensor, captions: Sequence[str]) -> None:
    """Forward and backward pass of one training step."""
    model.train()
    with torch.enable_grad():
        video = model.encode_video(model.preprocess(frames.to(model.device)))
        loss = contrastive_loss(model.encode_text(captions), video, model.logit_scale.exp())
        loss.backward()  # type: ignore[no-untyped-call]
    model.zero_grad(set_to_none=True)
