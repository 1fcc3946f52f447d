"""How a bench is run: where, in which precision, how often, and how much of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from centerclip.embedding.device import choose_dtype
from centerclip.lab.bench.timing import Clock, clock_of

__all__ = ["Setting"]


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Setting:
    """Attributes:
    device: where models compute.
    precision: of the models, as for `VideoEncoder`.
    rounds: how often each thing is timed.
    quick: small sizes, to see whether everything runs; its figures mean nothing.
    windows: sizes of the collections that are searched.
    folder: for videos, models and indexes made on the way.
    tell: called with what is measured next.
    """

    device: torch.device
    folder: Path
    precision: str = "auto"
    rounds: int = 5
    quick: bool = False
    windows: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    tell: Callable[[str], None] = _silent

    @property
    def clock(self) -> Clock:
        return clock_of(self.device)

    @property
    def dtype(self) -> torch.dtype:
        return choose_dtype(self.precision, self.device)
