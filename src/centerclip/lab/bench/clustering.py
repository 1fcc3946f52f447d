"""Clustering alone, on tokens of real frames: against a naive form, spectral clustering, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch

from centerclip.clustering import kmedoids, parse_reducer, reduce
from centerclip.lab.bench.processes import process_peak
from centerclip.lab.bench.report import Row, at_least, at_most, memory_row, speed_row
from centerclip.lab.bench.rivals import naive_kmedoids
from centerclip.lab.bench.schedules import reduced_tokens
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import SEED, Subject, toy_batch
from centerclip.lab.bench.timing import ratio, take_turns

__all__ = ["measure_clustering"]

_NAIVE_GOALS = {"B/32": at_least(10), "B/16": at_least(100)}
_SPECTRAL_GOALS = {"B/32": at_most(3), "B/16": at_most(3)}
_GROWTH_GOAL = at_most(4.5)
"""Twice the tokens need four times the memory if it is O(N²), eight times if it is O(K N²)."""


def measure_clustering(subjects: list[Subject], setting: Setting) -> Iterator[Row]:
    """Time the clusterings of a video under each subject's first schedule."""
    for subject in subjects:
        setting.tell(f"clustering, {subject.name}")
        yield from _measure_speed(subject, setting)
    if setting.device.type == "cpu":
        setting.tell("clustering, memory")
        yield _measure_memory(setting)


def _measure_speed(subject: Subject, setting: Setting) -> Iterator[Row]:
    model = subject.model.to(setting.device)
    if not model.schedule:
        return
    frames, _ = toy_batch(1, frames=model.frames, size=model.image_size)
    unreduced, k = reduced_tokens(model, frames)[0]
    tokens = unreduced.sequence
    sets, n, width = tokens.shape
    runs: dict[str, Callable[[], object]] = {
        "k-medoids": partial(kmedoids, tokens, k),
        "naive": partial(naive_kmedoids, tokens.float(), k),
        "k-medoids again": partial(reduce, unreduced, k, parse_reducer("kmedoids")),
        "spectral": partial(reduce, unreduced, k, parse_reducer("spectral")),
    }
    timings = take_turns(runs, rounds=setting.rounds, clock=setting.clock)
    of = f"{subject.name}: {n} tokens to {k}, width {width}, {sets} sets"
    same = torch.equal(kmedoids(tokens, k).medoids, naive_kmedoids(tokens.double(), k))
    yield speed_row(
        "clustering",
        f"k-medoids, {of}",
        timings["k-medoids"],
        against="[B, K, N, N]",
        rival=timings["naive"],
        goal=_NAIVE_GOALS.get(subject.name),
        note=f"medoids {'equal' if same else 'NOT equal'} to the naive ones in float64",
        equal=same,
    )
    spectral, plain = timings["spectral"], timings["k-medoids again"]
    yield Row(
        "clustering",
        f"spectral, {of}",
        ratio(spectral, plain),
        "x",
        against="k-medoids",
        ours=spectral.wall.median,
        rival=plain.wall.median,
        goal=_SPECTRAL_GOALS.get(subject.name),
        note="relative time, lower is better",
    )


def _measure_memory(setting: Setting) -> Row:
    n = 512 if setting.quick else 2048
    small, large = (process_peak(_prepare, size).growth_bytes for size in (n, 2 * n))
    return memory_row(
        "clustering",
        f"k-medoids, peak memory for {2 * n:,} tokens, reduced to a quarter",
        large,
        small,
        against=f"{n:,} tokens",
        goal=_GROWTH_GOAL,
        note=f"peak of {large / (16 * n * n):.1f} float32 matrices of N x N",
    )


def _prepare(n: int) -> Callable[[], object]:
    tokens = torch.randn(1, n, 64, generator=torch.Generator().manual_seed(SEED))
    kmedoids(tokens[:, :64], 16)  # so that torch has loaded everything it needs
    return partial(kmedoids, tokens, n // 4)
