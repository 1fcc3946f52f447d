"""A training step: what it keeps for the way back, and how long it takes, by schedule."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from centerclip.lab.bench.memory import gpu_peak, saved_activations
from centerclip.lab.bench.report import Goal, Row, at_most
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject, toy_batch
from centerclip.lab.bench.timing import Spread, ratio, take_turns
from centerclip.model import CenterCLIP
from centerclip.training.config import OptimizationSection
from centerclip.training.loss import contrastive_loss
from centerclip.training.optimizer import make_optimizer

__all__ = ["measure_training", "training_step"]

_CASES: dict[str, tuple[tuple[str, int, int, Goal | None], ...]] = {
    "B/32": (("B6-4,49", 12, 2, at_most(0.70)), ("B6-12,49", 60, 1, at_most(0.65)))
}
"""Schedule, frames, videos a batch, and the goal for its saved activations; the paper's two protocols."""


def measure_training(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Compare steps under a schedule with those of `none`."""
    for subject in subjects:
        own = (str(subject.model.schedule), subject.model.frames, 2, None)
        for schedule, frames, videos, goal in _CASES.get(subject.name, (own,)):
            if schedule != "none":
                setting.tell(f"training, {subject.name} {schedule}, {frames} frames")
                yield from _measure(subject, schedule, frames, videos, goal, setting)


def training_step(model: CenterCLIP, frames: Tensor, captions: Sequence[str]) -> Callable[[], float]:
    """A step of the optimizer in float32 on the same batch each time, as a call that gives the loss."""
    optimizer = make_optimizer(model, OptimizationSection.model_validate({"steps": 1}))

    def step() -> float:
        model.train()
        video = model.encode_video(model.preprocess(frames))
        loss = contrastive_loss(model.encode_text(captions), video, model.logit_scale.exp())
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
    backbone = copy.deepcopy(subject.model.backbone)  # whose weights the steps move
    base = CenterCLIP(backbone, reducer=subject.model.reducer, frames=frames).to(setting.device)
    models = {name: base.with_(schedule=name) for name in (schedule, "none")}
    saved = {name: saved_activations(model, pictures, captions) for name, model in models.items()}
    steps = {name: training_step(model, pictures, captions) for name, model in models.items()}
    timings = take_turns(steps, rounds=setting.rounds, clock=setting.clock)
    kept = saved[schedule] / saved["none"]
    of = f"{subject.name} {schedule}, {frames} frames"
    yield Row(
        "train",
        f"{of}, saved activations a video",
        Spread(kept, kept, kept),
        "x",
        against="none",
        ours=saved[schedule] / videos,
        rival=saved["none"] / videos,
        measured_in="B",
        goal=goal,
        details={"schedule": schedule, "frames": frames},
    )
    yield Row(
        "train",
        f"{of}, a step of {videos}",
        ratio(timings[schedule], timings["none"]),
        "x",
        against="none",
        ours=timings[schedule].wall.median,
        rival=timings["none"].wall.median,
        note="its time over that of none",
    )
    if setting.device.type == "cuda":
        peaks = {name: gpu_peak(step, setting.device) for name, step in steps.items()}
        share = peaks[schedule] / peaks["none"]
        yield Row(
            "train",
            f"{of}, peak memory of a step of {videos}",
            Spread(share, share, share),
            "x",
            against="none",
            ours=peaks[schedule],
            rival=peaks["none"],
            measured_in="B",
        )
