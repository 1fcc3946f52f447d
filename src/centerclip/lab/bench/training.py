"""A training step by schedule: what it saves for the backward pass, and how long it takes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from centerclip.lab.bench.memory import gpu_peak, saved_activations, training_loss
from centerclip.lab.bench.report import Goal, Row, at_most, memory_row
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject, toy_batch
from centerclip.lab.bench.timing import ratio, take_turns
from centerclip.model import CenterCLIP
from centerclip.training.config import OptimizationSection
from centerclip.training.optimizer import make_optimizer

__all__ = ["measure_training"]

_CASES: dict[str, tuple[tuple[str, int, int, Goal | None], ...]] = {
    "B/32": (("B6-4,49", 12, 2, at_most(0.70)), ("B6-12,49", 60, 1, at_most(0.65)))
}
"""Schedule, frames, batch size, and goal for the saved activations; the paper's two protocols."""


def measure_training(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Compare training steps under a schedule with those under `none`."""
    for subject in subjects:
        own = (str(subject.model.schedule), subject.model.frames, 2, None)
        for schedule, frames, videos, goal in _CASES.get(subject.name, (own,)):
            if schedule != "none":
                setting.tell(f"training, {subject.name} {schedule}, {frames} frames")
                yield from _measure(subject, schedule, frames, videos, goal, setting)


def _training_step(model: CenterCLIP, frames: Tensor, captions: Sequence[str]) -> Callable[[], float]:
    """A call that makes one training step in float32, always on the same batch."""
    optimizer = make_optimizer(model, OptimizationSection.model_validate({"steps": 1}))

    def step() -> float:
        model.train()
        loss = training_loss(model, frames, captions)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    return step


def _measure(
    subject: Subject, schedule: str, frames: int, videos: int, goal: Goal | None, setting: Setting
) -> Iterator[Row]:
    pictures, captions = toy_batch(videos, frames=frames, size=subject.model.image_size)
    pictures = pictures.to(setting.device)
    backbone = copy.deepcopy(subject.model.backbone)  # the steps change its weights
    base = CenterCLIP(backbone, reducer=subject.model.reducer, frames=frames).to(setting.device)
    models = {name: base.with_(schedule=name) for name in (schedule, "none")}
    saved = {name: saved_activations(model, pictures, captions) for name, model in models.items()}
    steps = {name: _training_step(model, pictures, captions) for name, model in models.items()}
    timings = take_turns(steps, rounds=setting.rounds, clock=setting.clock)
    of = f"{subject.name} {schedule}, {frames} frames"
    batch = "1 video" if videos == 1 else f"{videos} videos"
    yield memory_row(
        "train",
        f"{of}, saved activations per video",
        saved[schedule] / videos,
        saved["none"] / videos,
        against="none",
        goal=goal,
    )
    yield Row(
        "train",
        f"{of}, a training step of {batch}",
        ratio(timings[schedule], timings["none"]),
        "x",
        against="none",
        ours=timings[schedule].wall.median,
        rival=timings["none"].wall.median,
        note="relative time, lower is better",
    )
    if setting.device.type == "cuda":
        peaks = {name: gpu_peak(step, setting.device) for name, step in steps.items()}
        what = f"{of}, peak memory of a training step of {batch}"
        yield memory_row("train", what, peaks[schedule], peaks["none"], against="none")
