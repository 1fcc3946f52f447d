"""Indexing what cameras record, against the usual pipeline: decode every frame, embed one per second."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from centerclip.cli.backends import choose_backend, kept
from centerclip.cores import available_cores
from centerclip.embedding import VideoEncoder
from centerclip.embedding.device import choose_dtype, precision_of
from centerclip.lab.bench.footage import FPS, make_film, make_recording, recording_name
from centerclip.lab.bench.indexing import index_films, prepare_indexing
from centerclip.lab.bench.processes import process_peak
from centerclip.lab.bench.report import Goal, Row, at_least, at_most, memory_row, speed_row
from centerclip.lab.bench.rivals import usual_pipeline
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject
from centerclip.lab.bench.timing import Spread, Timing, ratio, take_turns
from centerclip.model import CenterCLIP

__all__ = ["measure_recordings"]

_AGAINST = "the usual pipeline"
_WALL_GOAL = at_most(1.15)
_LIBRARY_WINDOWS = 30_000
"""A hundred hours of footage, for which the bench's films stand. For a short film, `--backend auto` wouldn't
translate a model, which takes seconds."""


@dataclass(frozen=True, slots=True)
class _Recording:
    """Footage of one kind.

    Attributes:
        name: as rows show it.
        codec: of `RECORDERS`.
        size: (height, width).
        key_seconds: from one key frame to the next.
        seconds: length of what is drawn and encoded.
        repeats: how often that is shown in the film that is measured.
        goal: how many times as fast as the usual pipeline indexing should be.
        long: how often it is shown in a longer film, of which wall and processor time are compared, because
            the start and the end take up much of a short one; 0 to leave that out.
    """

    name: str
    codec: str
    size: tuple[int, int]
    key_seconds: float
    goal: Goal
    seconds: float = 12.0
    repeats: int = 5
    long: int = 0

    def seconds_of(self, repeats: int) -> str:
        return f"{self.seconds * repeats:g} s of {self.name}"

    def make(self, setting: Setting, repeats: int) -> Path:
        """Make a film, whose recording is kept in the cache."""
        key_frames = round(self.key_seconds * FPS)
        recording = setting.cache / recording_name(self.codec, self.size, self.seconds, key_frames)
        if not recording.exists():
            setting.tell(f"recordings, making {self.name} once, which takes minutes")
        make_recording(
            recording, codec=self.codec, size=self.size, seconds=self.seconds, key_frames=key_frames
        )
        return make_film(setting.folder / f"film-{repeats}-{recording.name}", [recording], repeats=repeats)


_HD, _UHD, _SMALL = (1080, 1920), (2160, 3840), (240, 320)
_RECORDINGS = (
    _Recording("1080p H.264, key frame every 1 s", "h264", _HD, 1, at_least(10), repeats=10),
    _Recording("1080p H.264, key frame every 2 s", "h264", _HD, 2, at_least(10), repeats=10, long=24),
    _Recording("1080p H.264, key frame every 8 s", "h264", _HD, 8, at_least(1), 16, 4),
    _Recording("1080p VP9, key frame every 2 s", "vp9", _HD, 2, at_least(10)),
    _Recording("1080p AV1, key frame every 2 s", "av1", _HD, 2, at_least(10)),
    _Recording("320x240 H.264, key frame every 10 s", "h264", _SMALL, 10, at_least(3), 60, 4, long=8),
    _Recording(
        "4K HEVC, key frame every 2 s", "hevc", _UHD, 2, at_least(20), 8, 9, long=15
    ),  # the most pixels: last
)
_QUICK = (
    _Recording("128x72 H.264, key frame every 1 s", "h264", (72, 128), 1, at_least(1), 3, 5, long=8),
    _Recording("128x72 AV1, key frame every 2 s", "av1", (72, 128), 2, at_least(1), 3, 5),
)


def measure_recordings(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Index recordings with the first subject's model, and run the usual pipeline on them with its CLIP.

    Where OpenVINO is installed, the model runs on the backend that `--backend auto` takes for a large
    library. Its translation isn't part of the rounds; a row of its own states it. A subject of another family
    than CLIP can't be compared.
    """
    subject = subjects[0]
    if subject.model.backbone.family != "clip":
        setting.tell("recordings: left out, because the usual pipeline needs a CLIP")
        return
    setting.tell("recordings, backends")
    encoder = _encoder(subject, setting, setting.precision)
    yield from _backend_row(subject, encoder, setting.precision)
    budget = VideoEncoder(
        encoder.model,  # translated or rounded once
        device=setting.device,
        precision=precision_of(encoder.model),
        backend=encoder.backend,
        sampling="budget",
    )
    encoders = {"": encoder, ", with --sampling budget": budget}
    if setting.device.type == "cpu":
        floats = str(choose_dtype("auto", setting.device)).removeprefix("torch.")
        other = floats if precision_of(encoder.model) == "int8" else "int8"
        encoders[f", with --precision {other}"] = another = _encoder(subject, setting, other)
        yield from _backend_row(subject, another, other)
    clip = copy.deepcopy(subject.model.backbone.model).to(setting.device, torch.float32).eval()
    rival = partial(usual_pipeline, clip=clip, processor=_processor(subject.model))
    for recording in (recordings := _QUICK if setting.quick else _RECORDINGS):
        path = recording.make(setting, recording.repeats)
        setting.tell(f"recordings, {recording.name}")
        runs: dict[str, Callable[[], object]] = {
            how: partial(index_films, each, [path], setting.folder / "index")
            for how, each in encoders.items()
        }
        runs["usual"] = partial(rival, path)
        timings = take_turns(runs, rounds=setting.rounds, clock=setting.clock)
        for how, each in encoders.items():
            yield _speed_row(recording, timings[how], timings["usual"], how=how, backend=each.backend)
        if recording.long and setting.device.type == "cpu":
            yield _measure_wall(encoder, recording, setting)
    setting.tell("recordings, memory")
    yield _measure_memory(subject, recordings[-1], setting)


def _encoder(subject: Subject, setting: Setting, precision: str) -> VideoEncoder:
    """Make an encoder as `centerclip index` does for a large library."""
    backend = "torch"
    if setting.device.type == "cpu" and not setting.quick:
        backend, precision = choose_backend(subject.model, precision, _LIBRARY_WINDOWS, may_round=True)
    return VideoEncoder(subject.model, device=setting.device, precision=precision, backend=backend)


def _backend_row(subject: Subject, encoder: VideoEncoder, precision: str) -> Iterator[Row]:
    """State what the chosen backend takes for a window, if there was a choice."""
    compared = kept(subject.model.fingerprint(), precision)
    costs = () if compared is None else compared.costs
    for cost in costs:
        if (cost.backend, cost.precision) == (encoder.backend, precision_of(encoder.model)):
            yield Row(
                "recordings",
                f"{subject.name} {subject.model.schedule}, processor time per window in {cost.precision} on "
                f"{cost.backend}, as --precision {precision} chooses for a large new library",
                Spread.of([costs[0].processor_seconds / cost.processor_seconds]),
                "x",
                against=f"{costs[0].precision} on {costs[0].backend}",
                ours=cost.processor_seconds,
                rival=costs[0].processor_seconds,
                note=f"started in {cost.start_seconds:.1f} s; cosine with float32 at least {cost.cosine:.4f}",
            )


def _speed_row(recording: _Recording, here: Timing, usual: Timing, *, how: str, backend: str) -> Row:
    length = recording.seconds * recording.repeats
    processor = ratio(usual, here, cpu=True).median
    return speed_row(
        "recordings",
        recording.seconds_of(recording.repeats) + how,
        here,
        against=_AGAINST,
        rival=usual,
        goal=None if how else recording.goal,
        note=f"{length / here.wall.median:.0f}x real time on {backend}; {processor:.3g}x in processor time",
        backend=backend,
        here_cpu=here.cpu.median,
        usual_cpu=usual.cpu.median,
    )


def _measure_wall(encoder: VideoEncoder, recording: _Recording, setting: Setting) -> Row:
    """How long indexing takes compared with its processor time, shared evenly by the cores."""
    film = recording.make(setting, recording.long)
    run = partial(index_films, encoder, [film], setting.folder / "index")
    timing = take_turns({"here": run}, rounds=min(3, setting.rounds), warmup=0, clock=setting.clock)["here"]
    cores = available_cores()
    return Row(
        "recordings",
        f"{recording.seconds_of(recording.long)}, wall time of indexing",
        Spread.of([w * cores / c for w, c in zip(timing.wall_seconds, timing.cpu_seconds, strict=True)]),
        "x",
        against="its processor time over the cores",
        ours=timing.wall.median,
        rival=timing.cpu.median / cores,
        goal=_WALL_GOAL,
    )


def _measure_memory(subject: Subject, recording: _Recording, setting: Setting) -> Row:
    path = recording.make(setting, recording.repeats)
    model = setting.folder / "model"
    subject.model.save_pretrained(model)
    device = str(setting.device)
    place = setting.folder / "index-memory"
    here = process_peak(prepare_indexing, model, path, place, device, setting.precision)
    usual = process_peak(_prepare_usual, model, path, device)
    return memory_row(
        "recordings",
        f"peak resident memory, {recording.name}",
        here.peak_bytes,
        usual.peak_bytes,
        against=_AGAINST,
        note="with the decoding processes; memory they share counts twice",
    )


def _prepare_usual(model: Path, path: Path, device: str) -> Callable[[], object]:
    loaded = CenterCLIP.from_pretrained(model)
    clip = loaded.backbone.model.to(device, torch.float32).eval()
    return partial(usual_pipeline, path, clip=clip, processor=_processor(loaded))


def _processor(model: CenterCLIP) -> Any:
    """The image processor of `transformers` for the model's size, as it is without torchvision too."""
    from transformers import CLIPImageProcessorPil

    height, width = model.image_size
    return CLIPImageProcessorPil(
        size={"shortest_edge": min(height, width)}, crop_size={"height": height, "width": width}
    )
