"""How the bench is run: device, precision, rounds and sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from centerclip.lab.bench.timing import Clock, clock_of

__all__ = ["Setting"]


@dataclass(frozen=True, slots=True)
class Setting:
    """Attributes:
    device: where models compute.
    folder: for temporary videos, models and indexes.
    precision: of the models, as for `VideoEncoder`.
    rounds: how often each operation is timed.
    quick: use small sizes to check that everything runs; the figures mean nothing.
    windows: sizes of the collections to search.
    kept: folder for recordings that other runs use again; None for one in `folder`.
    tell: called with the name of the next measurement.
    """

    device: torch.device
    folder: Path
    precision: str = "auto"
    rounds: int = 5
    quick: bool = False
    windows: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    kept: Path | None = None
    tell: Callable[[str], None] = lambda _: None

    @property
    def cache(self) -> Path:
        return self.kept or self.folder / "recordings"

    @property
    def clock(self) -> Clock:
        return clock_of(self.device)
