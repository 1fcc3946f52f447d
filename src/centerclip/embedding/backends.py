"""Compares the backends on this machine: what they take to encode windows, and how exact they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median

from torch import Tensor

from centerclip.embedding.costs import drifting_pictures
from centerclip.embedding.device import BACKENDS, Cores, precision_of, prepare
from centerclip.embedding.engine import encode_frames, windows_per_batch
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP
from centerclip.records import BackendCost

__all__ = ["Comparison", "compare_backends"]

_ROUNDS = 3
_START_SECONDS = 15.0
"""About what it takes to translate a tower of twelve blocks, and to encode a batch in float32."""
_SHARE = 0.1
"""The comparison may take this share of what torch would take for all windows."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the backends cost, torch first, and the model as each of them is ready to run it."""

    costs: tuple[BackendCost, ...]
    models: Mapping[str, CenterCLIP]


def compare_backends(model: CenterCLIP, precision: str, windows: int) -> Comparison | None:
    """Compare the backends by the processor time of windows that are encoded as in an index run.

    Each backend encodes the same drawn windows, in alternating rounds. Processor time is compared because
    other programs disturb it little.

    Args:
        model: in float32, on the CPU.
        precision: as `prepare` accepts it.
        windows: about how many will be encoded afterwards.

    Returns:
        None if the comparison would take more than a tenth of the time for encoding that many.

    Raises:
        ConfigError: the precision is unknown, or torch can't compute in it.
    """
    frames = drifting_pictures(windows_per_batch(model), model.frames, model.image_size)
    first = _Candidate(model, precision, "torch", frames)
    seconds = _processor_seconds(lambda: encode_frames(first.model, frames)) / len(frames)
    cores = Cores.share(first.model)
    expected = _START_SECONDS + len(BACKENDS) * (1 + _ROUNDS) * cores.encoders * len(frames) * seconds
    if windows * seconds * _SHARE < expected:
        return None
    candidates, failed = [first], []
    for backend in BACKENDS[1:]:
        try:
            candidates.append(_Candidate(model, precision, backend, frames))
        except ConfigError as error:
            failed.append(BackendCost(backend, precision_of(first.model), 0.0, 0.0, 0.0, str(error)))
    exact = encode_frames(prepare(model, model.device, "float32"), frames)
    _take_turns(candidates, cores, frames)
    costs = [candidate.cost(exact, len(frames) * cores.encoders) for candidate in candidates]
    return Comparison((*costs, *failed), {candidate.backend: candidate.model for candidate in candidates})


class _Candidate:
    """A backend with the model ready to run, which has encoded one batch."""

    def __init__(self, model: CenterCLIP, precision: str, backend: str, frames: Tensor) -> None:
        self.backend = backend
        self.rounds: list[float] = []

        def start() -> None:
            self.model = prepare(model, model.device, precision, backend, side_by_side=True)
            self.found = encode_frames(self.model, frames)

        self.start_seconds = _processor_seconds(start)

    def cost(self, exact: tuple[Tensor, Tensor], windows: int) -> BackendCost:
        """State the cost; a round encodes `windows`."""
        cosine = min(float((a * b).sum(-1).min()) for a, b in zip(self.found, exact, strict=True))
        return BackendCost(
            self.backend,
            precision_of(self.model),
            processor_seconds=median(self.rounds) / windows,
            start_seconds=self.start_seconds,
            cosine=cosine,
        )


def _take_turns(candidates: list[_Candidate], cores: Cores, frames: Tensor) -> None:
    """Let each candidate encode a batch per encoding thread, several times in turn."""
    with ThreadPoolExecutor(cores.encoders, initializer=partial(cores.enter, alone=False)) as pool:
        for number in range(_ROUNDS + 1):
            for candidate in candidates:

                def run(model: CenterCLIP = candidate.model) -> None:
                    for done in [pool.submit(encode_frames, model, frames) for _ in range(cores.encoders)]:
                        done.result()

                seconds = _processor_seconds(run)
                if number:  # the first round is for warming up
                    candidate.rounds.append(seconds)


def _processor_seconds(run: Callable[[], object]) -> float:
    before = time.process_time()
    run()
    return time.process_time() - before
