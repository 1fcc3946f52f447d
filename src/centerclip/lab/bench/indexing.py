"""Indexing end to end: do decoding and encoding overlap, and does memory stay bounded?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from centerclip.embedding import VideoEncoder, embed
from centerclip.embedding.decode import DecodedWindow, Decoder, Windows
from centerclip.index import VideoIndex
from centerclip.indexing import sync
from centerclip.lab.bench.footage import make_clips, make_film
from centerclip.lab.bench.processes import process_peak
from centerclip.lab.bench.report import Row, at_most, memory_row
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import Subject
from centerclip.lab.bench.timing import Spread, take_turns
from centerclip.model import CenterCLIP
from centerclip.records import Failed, Item

__all__ = ["index_films", "measure_indexing", "prepare_indexing"]

_FILMS = 4
_WALL_GOAL = at_most(1.15)
_MEMORY_GOAL = at_most(1.1)


def measure_indexing(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Index films with the first subject's model, against decoding alone and encoding alone."""
    subject = subjects[0]
    setting.tell("index, drawing the films")
    size, seconds = ((120, 160), 2.0) if setting.quick else ((360, 640), 10.0)
    clips = make_clips(setting.folder / "clips", _FILMS, seconds=seconds, size=size)
    paths = [  # in different orders, because a file of equal content would be skipped
        make_film(setting.folder / f"film-{number}.mp4", clips[number:] + clips[:number], repeats=1)
        for number in range(_FILMS)
    ]
    yield _measure_time(subject, paths, setting)
    setting.tell("index, memory")
    yield _measure_memory(subject, clips, setting)


def _measure_time(subject: Subject, paths: Sequence[Path], setting: Setting) -> Row:
    encoder = VideoEncoder(subject.model, device=setting.device, precision=setting.precision)
    decoded = _decode(encoder, paths)
    runs: dict[str, Callable[[], object]] = {
        "index": partial(index_films, encoder, paths, setting.folder / "index"),
        "decode": partial(_decode, encoder, paths),
        "encode": partial(_encode, encoder, decoded),
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


def index_films(encoder: VideoEncoder, paths: Sequence[Path], place: Path) -> None:
    """Index files into a new index."""
    shutil.rmtree(place, ignore_errors=True)
    states = {result.state for result in sync(VideoIndex(place), paths, encoder)}
    assert states == {"indexed"}, f"films were {states}"


def _decode(encoder: VideoEncoder, paths: Sequence[Path]) -> dict[Path, list[DecodedWindow]]:
    """The windows of each file, decoded by as many threads as the encoder uses."""
    model = encoder.model
    decoder = Decoder(model.frames, model.preprocessing, encoder.window_seconds, pictures=model.segments)

    def decode(path: Path) -> list[DecodedWindow]:
        return [window for window in decoder(Item(path)) if isinstance(window, DecodedWindow)]

    with ThreadPoolExecutor(encoder.cores.decoders) as pool:
        return dict(zip(paths, pool.map(decode, paths), strict=True))


def _encode(encoder: VideoEncoder, decoded: Mapping[Path, Sequence[DecodedWindow]]) -> None:
    def decode(item: Item) -> Windows:
        yield from decoded[item.path]

    for video in embed(map(Item, decoded), [encoder.model], decode=decode, cores=encoder.cores):
        assert not isinstance(video, Failed)


def _measure_memory(subject: Subject, clips: Sequence[Path], setting: Setting) -> Row:
    """A film ten times as long must not need more memory."""
    model = setting.folder / "model"
    subject.model.save_pretrained(model)
    peaks = []
    for name, repeats in (("short", 3), ("long", 30)):  # the short one is long enough to fill all queues
        film = make_film(setting.folder / f"{name}.mp4", clips, repeats=repeats)
        place = setting.folder / f"index-{name}"
        peak = process_peak(prepare_indexing, model, film, place, str(setting.device), setting.precision)
        peaks.append(peak.peak_bytes)
    return memory_row(
        "index",
        "peak resident memory, a film ten times as long",
        peaks[1],
        peaks[0],
        against="the short film",
        goal=_MEMORY_GOAL,
        note="of all its processes, as reported by Linux",
    )


def prepare_indexing(
    model: Path, film: Path, place: Path, device: str, precision: str
) -> Callable[[], object]:
    """Load a model in a process of its own; the function returned indexes a film."""
    encoder = VideoEncoder(CenterCLIP.from_pretrained(model), device=device, precision=precision)
    return partial(index_films, encoder, [film], place)
