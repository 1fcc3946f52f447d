"""Compares ways to encode on this machine: what backends and precisions take, and how exact they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from statistics import median

from torch import Tensor

from centerclip.embedding.costs import drifting_pictures
from centerclip.embedding.device import Cores, precision_of, prepare
from centerclip.embedding.engine import encode_frames, windows_per_batch
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP
from centerclip.records import BackendCost

__all__ = ["compare_backends"]

_ROUNDS = 3
_START_SECONDS = 12.0
"""About what it takes to translate or round a tower of twelve blocks, and to encode a batch."""
_SHARE = 0.1
"""The comparison may take this share of what torch would take for all windows."""


def compare_backends(
    model: CenterCLIP, candidates: Sequence[tuple[str, str]], windows: int
) -> tuple[BackendCost, ...] | None:
    """Compare backends and precisions by the processor time of windows that are encoded as in an index run.

    All encode the same drawn windows. Each takes turns with the first, because a processor may be faster at
    one time than at another, and is dropped then: large models don't fit into memory four times. Processor
    time is compared because other programs disturb it little.

    Args:
        model: in float32, on the CPU.
        candidates: backends and precisions as `prepare` accepts them. The first is torch.
        windows: about how many will be encoded afterwards.

    Returns:
        The costs of the candidates; None if comparing them would take more than a tenth of the time for
        encoding that many windows.

    Raises:
        ConfigError: a precision is unknown, or torch can't compute in the first one.
    """
    frames = drifting_pictures(windows_per_batch(model), model.frames, model.image_size)
    first = _Candidate(model, *candidates[0], frames)
    seconds = _processor_seconds(lambda: encode_frames(first.model, frames)) / len(frames)
    cores = Cores.share(first.model)
    turns = 2 * _ROUNDS * cores.encoders * len(frames) * seconds
    if windows * seconds * _SHARE < len(candidates[1:]) * (_START_SECONDS + turns):
        return None
    exact = encode_frames(prepare(model, model.device, "float32"), frames)
    others: list[tuple[BackendCost, float]] = []
    for backend, precision in candidates[1:]:
        try:
            other = _Candidate(model, backend, precision, frames)
        except ConfigError as error:
            named = precision if precision == "int8" else precision_of(first.model)
            others.append((BackendCost(backend, named, 0.0, 0.0, 0.0, str(error)), 0.0))
        else:
            ratio = _take_turns(first, other, cores, frames)
            others.append((other.cost(exact), ratio))
    per_window = median(first.rounds) / (len(frames) * cores.encoders) if first.rounds else seconds
    own = replace(first.cost(exact), processor_seconds=per_window)
    return (own, *(replace(cost, processor_seconds=ratio * per_window) for cost, ratio in others))


class _Candidate:
    """A backend and precision with the model ready to run, which has encoded one batch."""

    def __init__(self, model: CenterCLIP, backend: str, precision: str, frames: Tensor) -> None:
        self.backend = backend
        self.rounds: list[float] = []

        def start() -> None:
            self.model = prepare(model, model.device, precision, backend, side_by_side=True)
            self.found = encode_frames(self.model, frames)

        self.start_seconds = _processor_seconds(start)

    def cost(self, exact: tuple[Tensor, Tensor]) -> BackendCost:
        """State the cost, but for the time per window."""
        cosine = min(float((a * b).sum(-1).min()) for a, b in zip(self.found, exact, strict=True))
        return BackendCost(self.backend, precision_of(self.model), 0.0, self.start_seconds, cosine)


def _take_turns(first: _Candidate, other: _Candidate, cores: Cores, frames: Tensor) -> float:
    """Let both encode a batch per encoding thread in turns; return how long the other takes, first = 1."""
    ratios = []
    with ThreadPoolExecutor(cores.encoders, initializer=partial(cores.enter, alone=False)) as pool:

        def run(model: CenterCLIP) -> None:
            for done in [pool.submit(encode_frames, model, frames) for _ in range(cores.encoders)]:
                done.result()

        for _ in range(_ROUNDS):
            for candidate in (first, other):
                candidate.rounds.append(_processor_seconds(partial(run, candidate.model)))
            ratios.append(other.rounds[-1] / first.rounds[-1])
    return median(ratios)


def _processor_seconds(run: Callable[[], object]) -> float:
    before = time.process_time()
    run()
    return time.process_time() - before
