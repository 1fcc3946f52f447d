"""What only a GPU can show: distances in slices, precisions, batches side by side, and decoding on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from centerclip.clustering.distance import measure, token_lengths
from centerclip.clustering.kmedoids import partition
from centerclip.embedding import VideoEncoder, embed
from centerclip.embedding.decode import DecodedWindow, Decoder, Windows
from centerclip.embedding.device import precision_of, prepare, use_tf32
from centerclip.embedding.engine import windows_per_batch
from centerclip.errors import ConfigError, VideoError
from centerclip.lab.bench.footage import make_film, make_recording
from centerclip.lab.bench.report import Row, speed_row
from centerclip.lab.bench.schedules import encoding, reduced_tokens
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject, toy_batch
from centerclip.lab.bench.timing import take_turns
from centerclip.records import Item, VideoInfo, Window
from centerclip.video import Decoders, find_gpu

__all__ = ["measure_gpu", "measure_on"]

_VIDEOS = 16
_BATCHES = 12
_FILMS = (("1080p H.264", "h264", (1080, 1920), 6.0, 8), ("4K HEVC", "hevc", (2160, 3840), 2.0, 12))
"""Name, codec, size, seconds that are encoded, and how often they are shown; a key frame every 2 s."""
_KEY_FRAMES = 50


def measure_gpu(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Compare ways of using a GPU with the first subject's model, if there is a GPU."""
    if setting.device.type == "cuda":
        yield from measure_on(subjects[0], setting)
    else:
        setting.tell("gpu: left out, because there is none")


def measure_on(subject: Subject, setting: Setting) -> Iterator[Row]:
    """Measure on the setting's device, whatever it is."""
    setting.tell(f"gpu, {subject.name}, distances")
    yield from _measure_distances(subject, setting)
    setting.tell(f"gpu, {subject.name}, precisions")
    yield from _measure_precisions(subject, setting)
    setting.tell(f"gpu, {subject.name}, streams")
    yield _measure_streams(subject, setting)
    try:
        kind = find_gpu(setting.device.index or 0)
    except VideoError as error:
        setting.tell(f"gpu, decoding: left out, {error}")
    else:
        yield from _measure_decoding(subject, kind, setting)


def _measure_distances(subject: Subject, setting: Setting) -> Iterator[Row]:
    """Measure distances from slices against float64, whichever this device uses by itself."""
    model = subject.model.to(setting.device)
    frames, _ = toy_batch(2 if setting.quick else _VIDEOS, frames=model.frames, size=model.image_size)
    for unreduced, k in reduced_tokens(model, frames)[:1]:
        tokens = unreduced.sequence
        lengths = token_lengths(tokens)
        forms = {
            name: partial(measure, tokens, lengths, "euclidean", in_slices=name == "slices")
            for name in ("slices", "float64")
        }
        first = lengths.argmax(1)
        slices, doubles = (partition(form(), k, first=first, max_iter=100) for form in forms.values())
        same = torch.equal(slices.medoids, doubles.medoids)
        timings = take_turns(forms, rounds=setting.rounds, clock=setting.clock)
        sets, n, width = tokens.shape
        yield speed_row(
            "gpu",
            f"distances from slices, {subject.name}: {sets} sets of {n} tokens, width {width}",
            timings["slices"],
            against="products in float64",
            rival=timings["float64"],
            note=f"medoids {'equal' if same else 'NOT equal'}",
            equal=same,
        )


def _measure_precisions(subject: Subject, setting: Setting) -> Iterator[Row]:
    frames, _ = toy_batch(
        2 if setting.quick else _VIDEOS, frames=subject.model.frames, size=subject.model.image_size
    )
    frames = frames.to(setting.device)
    runs: dict[str, Callable[[], Tensor]] = {}
    for precision in ("float32", "bfloat16", "float16"):
        try:
            made = prepare(subject.model, setting.device, precision)
        except ConfigError as error:
            setting.tell(f"gpu, {precision}: left out, {error}")
        else:
            runs[precision_of(made)] = encoding(made, frames)
    exact = runs["float32"]().float()
    cosines = {name: float((run().float() * exact).sum(-1).min()) for name, run in runs.items()}
    timings = take_turns(runs, rounds=setting.rounds, warmup=2, clock=setting.clock)
    for name in list(runs)[1:]:
        yield speed_row(
            "gpu",
            f"{subject.name} {subject.model.schedule} in {name}, per video",
            timings[name],
            against="float32",
            rival=timings["float32"],
            times=1 / len(frames),
            note=f"cosine with float32 at least {cosines[name]:.4f}",
        )
    if setting.device.type == "cuda":
        yield _measure_tf32(subject, runs["float32"], exact, len(frames), setting)


def _measure_tf32(
    subject: Subject, run: Callable[[], Tensor], exact: Tensor, videos: int, setting: Setting
) -> Row:
    def narrow() -> Tensor:
        use_tf32(True)
        try:
            return run()
        finally:
            use_tf32(False)

    cosine = float((narrow().float() * exact).sum(-1).min())
    timings = take_turns({"tf32": narrow, "float32": run}, rounds=setting.rounds, clock=setting.clock)
    return speed_row(
        "gpu",
        f"{subject.name} {subject.model.schedule} in tf32, per video",
        timings["tf32"],
        against="float32",
        rival=timings["float32"],
        times=1 / videos,
        note=f"cosine with float32 at least {cosine:.4f}",
    )


def _measure_streams(subject: Subject, setting: Setting) -> Row:
    """Encode decoded windows as `index` does, with one batch at a time and with two side by side."""
    encoder = VideoEncoder(subject.model, device=setting.device, precision=setting.precision)
    model = encoder.model
    frames, _ = toy_batch(1, frames=model.frames, size=model.image_size)
    size = 2 if setting.quick else windows_per_batch(model)
    count = size * (2 if setting.quick else _BATCHES)
    info = VideoInfo(Path("drawn"), "", float(count), 0, 0, 0.0, "", 0, 0.0)

    def decode(item: Item) -> Windows:
        for place in range(count):
            bounds = np.linspace(place, place + 1.0, model.frames + 1)
            yield DecodedWindow(info, Window(float(place), place + 1.0), frames[0], bounds)

    def run(encoders: int) -> None:
        cores = replace(encoder.cores, encoders=encoders)
        results = embed([Item(Path("drawn"))], [model], decode=decode, cores=cores, batch_size=size)
        with closing(results):
            assert len(list(results)) == 1

    runs: dict[str, Callable[[], object]] = {"two": partial(run, 2), "one": partial(run, 1)}
    timings = take_turns(runs, rounds=setting.rounds, clock=setting.clock)
    return speed_row(
        "gpu",
        f"{subject.name} {model.schedule}, two batches side by side, per window",
        timings["two"],
        against="one after the other",
        rival=timings["one"],
        times=1 / count,
        note=f"{count / timings['two'].wall.median:.0f} windows/s",
    )


def _measure_decoding(subject: Subject, kind: str, setting: Setting) -> Iterator[Row]:
    """Decode films as `index` does, on the GPU and on the CPU, by one worker."""
    films = (("128x72 H.264", "h264", (72, 128), 2.0, 2),) if setting.quick else _FILMS
    for name, codec, size, seconds, repeats in films:
        setting.tell(f"gpu, decoding {name}")
        recording = setting.folder / f"gpu-{codec}.mp4"
        make_recording(recording, codec=codec, size=size, seconds=seconds, key_frames=_KEY_FRAMES)
        film = make_film(setting.folder / f"gpu-film-{codec}.mp4", [recording], repeats=repeats)
        runs: dict[str, Callable[[], list[Tensor]]] = {
            on: partial(_decode, subject, film, gpu)
            for on, gpu in (("gpu", setting.device.index or 0), ("cpu", None))
        }
        pairs = zip(runs["gpu"](), runs["cpu"](), strict=True)
        apart = max(int((one.int() - other).abs().max()) for one, other in pairs)
        timings = take_turns(runs, rounds=min(3, setting.rounds), clock=setting.clock)
        yield speed_row(
            "gpu",
            f"decoding {seconds * repeats:g} s of {name} on the GPU ({kind}) by one worker",
            timings["gpu"],
            against="the CPU",
            rival=timings["cpu"],
            note=f"frames at the model's size differ by at most {apart} of 255",
            most_apart=apart,
        )


def _decode(subject: Subject, film: Path, gpu: int | None) -> list[Tensor]:
    model = subject.model
    decoder = Decoder(model.frames, model.preprocessing, 12.0, sampling="cheapest", decoders=Decoders(gpu))
    return [window.frames for window in decoder(Item(film)) if isinstance(window, DecodedWindow)]
