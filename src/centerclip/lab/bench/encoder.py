"""The encoder by schedule and precision, the time spent on clustering, and the comparison with plain CLIP."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import torch
from torch import Tensor

from centerclip.clustering import reduce
from centerclip.embedding import VideoEncoder
from centerclip.embedding.device import precision_of, prepare
from centerclip.lab.bench.memory import gpu_peak
from centerclip.lab.bench.report import Row, at_least, at_most, speed_row
from centerclip.lab.bench.rivals import WholeTower, frame_by_frame
from centerclip.lab.bench.schedules import encoding, measure_schedules, reduced_tokens
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject, toy_batch
from centerclip.lab.bench.timing import Spread, take_turns
from centerclip.model import Backbone, CenterCLIP
from centerclip.schedule import TokenSchedule

__all__ = ["measure_encoder"]

_VIDEOS = 2
_FASTER_GOALS = {("B/32", "B6-4,49"): at_least(1.5), ("B/16", "B6-4,160"): at_least(1.5)}
_SHARE_GOALS = {"B/32": at_most(2.5), "B/16": at_most(3)}
_DEFAULTS_GOALS = {"B/32": at_least(5)}
_GPU_BATCHES = (1, 4, 16, 64)


def measure_encoder(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Time the encoding of uint8 frames to embeddings, under all schedules of each subject."""
    for subject in subjects:
        model = VideoEncoder(subject.model, device=setting.device, precision=setting.precision).model
        frames, _ = toy_batch(_VIDEOS, frames=model.frames, size=model.image_size)
        frames = frames.to(setting.device)
        setting.tell(f"encoder, {subject.name}, schedules")
        yield from _measure_schedules(subject, model, frames, setting)
        yield from _measure_shortcuts(subject, model, frames, setting)
        if model.schedule:
            setting.tell(f"encoder, {subject.name}, reduction")
            yield _measure_reduction(subject, model, frames, setting)
        setting.tell(f"encoder, {subject.name}, precisions")
        yield from _measure_precisions(subject, model, frames, setting)
        if setting.device.type == "cuda":
            yield from _measure_batches(subject, model, setting)


def _measure_schedules(
    subject: Subject, model: CenterCLIP, frames: Tensor, setting: Setting
) -> Iterator[Row]:
    schedules: list[str | TokenSchedule] = ["none", *(schedule for schedule in subject.schedules if schedule)]
    plain, *reduced = measure_schedules(model, schedules, frames, rounds=setting.rounds)
    for cost in (plain, *reduced):
        fewer = plain.multiply_adds / cost.multiply_adds
        yield speed_row(
            "encoder",
            f"{subject.name} {cost.schedule}, a video of {model.frames} frames, {precision_of(model)}",
            cost.timing,
            against="none",
            rival=plain.timing,
            goal=_FASTER_GOALS.get((subject.name, str(cost.schedule))),
            times=1 / _VIDEOS,
            note=f"{cost.multiply_adds / 1e9:.3g} G multiply-adds, {fewer:.2f}x fewer",
            subject=subject.name,
            schedule=str(cost.schedule),
            multiply_adds=cost.multiply_adds,
            precision=precision_of(model),
        )


def _measure_shortcuts(
    subject: Subject, model: CenterCLIP, frames: Tensor, setting: Setting
) -> Iterator[Row]:
    """Measure what else is saved: patch tokens in the last block, and repeated frames."""
    still = frames[:, :1].expand_as(frames).contiguous()
    whole = model.with_(schedule="none")
    whole.tower = WholeTower(model.backbone)
    runs: dict[str, Callable[[], object]] = {
        "moving": encoding(model, frames),
        "still": encoding(model, still),
        "whole": encoding(whole, frames),
    }
    timings = take_turns(runs, rounds=setting.rounds, clock=setting.clock)
    if type(model.backbone).last_block is not Backbone.last_block:
        yield speed_row(
            "encoder",
            f"{subject.name} {model.schedule}, including the savings in the last block",
            timings["moving"],
            against="none, all tokens in the last block",
            rival=timings["whole"],
            times=1 / _VIDEOS,
        )
    yield speed_row(
        "encoder",
        f"{subject.name} {model.schedule}, a still video",
        timings["still"],
        against="a moving video",
        rival=timings["moving"],
        times=1 / _VIDEOS,
    )


def _measure_reduction(subject: Subject, model: CenterCLIP, frames: Tensor, setting: Setting) -> Row:
    stages = reduced_tokens(model, frames)
    runs: dict[str, Callable[[], object]] = {
        "reduction": lambda: [reduce(tokens, k, model.reducer) for tokens, k in stages],
        "encoder": encoding(model, frames),
    }
    timings = take_turns(runs, rounds=setting.rounds, clock=setting.clock)
    reduction, encoder = timings["reduction"], timings["encoder"]
    seconds = zip(reduction.wall_seconds, encoder.wall_seconds, strict=True)
    return Row(
        "encoder",
        f"{subject.name} {model.schedule}, time spent on the reduction ({model.reducer.name})",
        Spread.of([100 * part / whole for part, whole in seconds]),
        "%",
        against="the encoder",
        ours=reduction.wall.median / _VIDEOS,
        rival=encoder.wall.median / _VIDEOS,
        goal=_SHARE_GOALS.get(subject.name),
    )


def _measure_precisions(
    subject: Subject, model: CenterCLIP, frames: Tensor, setting: Setting
) -> Iterator[Row]:
    """Measure the encoder as used, from uint8 frames.

    Its rival is CLIP of `transformers`, which receives normalized frames, or for other families the same
    model in float32 without a schedule.
    """
    runs: dict[str, Callable[[], object]] = {"defaults": encoding(model, frames)}
    if model.backbone.family == "clip":
        against = "transformers in float32, frame by frame"
        clip = copy.deepcopy(subject.model.backbone.model).to(setting.device, torch.float32).eval()
        runs["rival"] = partial(frame_by_frame, clip, model.preprocess(frames))
    else:
        against = "none in float32"
        plain = prepare(subject.model.with_(schedule="none"), setting.device, "float32")
        runs["rival"] = encoding(plain, frames)
    notes: dict[str, str] = {}
    if precision_of(model) == "float32":
        notes["defaults"] = "the goal assumes a processor with bfloat16"
    if setting.device.type == "cpu" and precision_of(model) != "int8":
        if find_spec("openvino") is not None:
            translated = prepare(subject.model, setting.device, setting.precision, "openvino")
            runs["OpenVINO"] = encoding(translated, frames)
        runs["int8"] = int8 = encoding(prepare(subject.model, setting.device, "int8"), frames)
        exact = encoding(prepare(subject.model, setting.device, "float32"), frames)
        notes["int8"] = f"cosine with float32 at least {float((int8() * exact()).sum(-1).min()):.4f}"
    timings = take_turns(runs, rounds=setting.rounds, clock=setting.clock)
    rival = timings.pop("rival")
    for how, timing in timings.items():
        yield speed_row(
            "encoder",
            f"{subject.name} {model.schedule} with {how}, per video",
            timing,
            against=against,
            rival=rival,
            goal=_DEFAULTS_GOALS.get(subject.name) if how == "defaults" else None,
            times=1 / _VIDEOS,
            note=notes.get(how, ""),
        )


def _measure_batches(subject: Subject, model: CenterCLIP, setting: Setting) -> Iterator[Row]:
    """Measure latency, throughput and memory by batch size, without and with the first schedule."""
    for videos in _GPU_BATCHES:
        setting.tell(f"encoder, {subject.name}, batches of {videos} videos")
        frames, _ = toy_batch(videos, frames=model.frames, size=model.image_size)
        frames = frames.to(setting.device)
        runs: dict[str, Callable[[], object]] = {
            str(schedule): encoding(model.with_(schedule=schedule), frames)
            for schedule in dict.fromkeys(("none", str(model.schedule)))
        }
        timings = take_turns(runs, rounds=setting.rounds, warmup=3, clock=setting.clock)
        for schedule, run in runs.items():
            latency, peak = timings[schedule].wall, gpu_peak(run, setting.device)
            rate = videos / latency.median
            yield Row(
                "encoder",
                f"{subject.name} {schedule}, latency of a batch of {videos} videos",
                latency,
                "s",
                note=f"{rate:.0f} videos/s, peak memory {peak / 1e9:.2f} GB",
                details={"videos": videos, "videos_per_second": rate, "peak_bytes": peak},
            )
