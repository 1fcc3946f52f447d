"""Indexing end to end: does decoding go on beside encoding, and does memory stay flat?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from centerclip.encoder import VideoEncoder
from centerclip.encoder.decoding import DecodedWindow, Windows, decode_windows
from centerclip.index import VideoIndex
from centerclip.lab.bench.footage import make_clips, make_film
from centerclip.lab.bench.processes import process_peak
from centerclip.lab.bench.report import Row, at_most
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject
from centerclip.lab.bench.timing import Spread, take_turns
from centerclip.model import CenterCLIP
from centerclip.records import EncodedVideo

__all__ = ["measure_indexing"]

_FILMS = 4
_WALL_GOAL = at_most(1.15)
_MEMORY_GOAL = at_most(1.1)


def measure_indexing(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Index films with the first subject's model, and its parts one after the other beside it."""
    subject = subjects[0]
    setting.tell("index, drawing the films")
    size, seconds = ((120, 160), 2.0) if setting.quick else ((360, 640), 10.0)
    clips = make_clips(setting.folder / "clips", _FILMS, seconds=seconds, size=size)
    orders = [clips[number:] + clips[:number] for number in range(_FILMS)]  # no two of equal content
    paths = [
        make_film(setting.folder / f"film-{number}.mp4", order, repeats=1)
        for number, order in enumerate(orders)
    ]
    yield _measure_time(subject, paths, setting)
    setting.tell("index, memory")
    yield _measure_memory(subject, clips, setting)


def _measure_time(subject: Subject, paths: Sequence[Path], setting: Setting) -> Row:
    encoder = VideoEncoder(subject.model, device=setting.device, precision=setting.precision)
    encoder_alone = _DecodedBefore(encoder.model, device=setting.device, precision=setting.precision)
    encoder_alone.files = decoded = _decode(encoder, paths)
    runs: dict[str, Callable[[], object]] = {
        "index": partial(_index, encoder, paths, setting.folder / "index"),
        "decode": partial(_decode, encoder, paths),
        "encode": partial(_encode, encoder_alone, paths),
    }
    setting.tell("index, end to end")
    timings = take_turns(runs, rounds=setting.rounds, clock=setting.clock)
    index, decode, encode = (timings[name].wall_seconds for name in runs)
    ratios = [whole / max(parts) for whole, *parts in zip(index, decode, encode, strict=True)]
    slower = max((timings["decode"], timings["encode"]), key=lambda timing: timing.wall.median)
    windows = sum(map(len, decoded.values()))
    return Row(
        "index",
        f"{len(paths)} films of {windows} windows end to end, {subject.name} {subject.model.schedule}",
        Spread.of(ratios),
        "x",
        against="the slower of decode and encode alone",
        ours=timings["index"].wall.median,
        rival=slower.wall.median,
        goal=_WALL_GOAL,
        note=f"decode {timings['decode'].wall.median:.2f} s, encode {timings['encode'].wall.median:.2f} s",
        details={
            **{name: timings[name].wall.median for name in runs},
            **{f"{name}_cpu": timings[name].cpu.median for name in runs},
        },
    )


def _index(encoder: VideoEncoder, paths: Sequence[Path], place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    states = {result.state for result in encoder.index(paths, VideoIndex(place))}
    assert states == {"indexed"}, f"films were {states}"


def _decode(encoder: VideoEncoder, paths: Sequence[Path]) -> dict[Path, list[DecodedWindow]]:
    """The windows of each file, decoded by as many threads as the encoder has for it."""

    def decode(path: Path) -> list[DecodedWindow]:
        decoded = decode_windows(
            path,
            window_seconds=encoder.window_seconds,
            frames=encoder.model.frames,
            preprocessing=encoder.model.preprocessing,
        )
        return [window for window in decoded if isinstance(window, DecodedWindow)]

    with ThreadPoolExecutor(encoder.workers) as pool:
        return dict(zip(paths, pool.map(decode, paths), strict=True))


class _DecodedBefore(VideoEncoder):
    """An encoder for which files are decoded already."""

    files: Mapping[Path, Sequence[DecodedWindow]]

    def _decoder(self, window_seconds: float) -> Callable[[Path], Windows]:
        return lambda path: (window for window in self.files[path])


def _encode(encoder: VideoEncoder, paths: Sequence[Path]) -> None:
    for video in encoder.encode(paths):
        assert isinstance(video, EncodedVideo)


def _measure_memory(subject: Subject, clips: Sequence[Path], setting: Setting) -> Row:
    """A film ten times as long must not take more memory."""
    model = setting.folder / "model"
    subject.model.save_pretrained(model)
    peaks = []
    for name, repeats in (("short", 3), ("long", 30)):  # the short one fills all queues already
        film = make_film(setting.folder / f"{name}.mp4", clips, repeats=repeats)
        place = setting.folder / f"index-{name}"
        peaks.append(process_peak(_prepare, model, film, place, str(setting.device), setting.precision))
    short, long = peaks
    growth = long.peak_bytes / short.peak_bytes
    return Row(
        "index",
        "peak resident memory, a film ten times as long",
        Spread(growth, growth, growth),
        "x",
        against="the short film",
        ours=long.peak_bytes,
        rival=short.peak_bytes,
        measured_in="B",
        goal=_MEMORY_GOAL,
        note="of the whole process, by Linux's account",
    )


def _prepare(model: Path, film: Path, place: Path, device: str, precision: str) -> Callable[[], object]:
    encoder = VideoEncoder(CenterCLIP.from_pretrained(model), device=device, precision=precision)
    return partial(_index, encoder, [film], place)
