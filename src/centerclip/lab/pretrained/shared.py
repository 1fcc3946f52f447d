"""A vision tower that computes the first blocks of the same frames once for many schedules."""

from __future__ import annotations

from dataclasses import replace
from threading import local

import torch
from torch import Tensor

from centerclip.clustering import Tokens
from centerclip.model import Backbone, Tower

__all__ = ["SharedTower"]


class SharedTower(Tower):
    """Keeps what the blocks before the first reduction made of a thread's last frames, for inference.

    Schedules that reduce after the same block or a later one need only the remaining blocks. Results are
    those of the backbone, bit for bit. For models without a temporal embedding.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone)
        self._last = _Last()

    def embed(self, frames: Tensor) -> Tokens:
        """See `Backbone.embed`."""
        last = self._last
        if last.embedded is None or last.frames is None or not torch.equal(frames, last.frames):
            last.frames, last.embedded, last.entering = frames, super().embed(frames), {}
        return last.embedded

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        """See `Backbone.run`."""
        if start > 0:
            return super().run(tokens, start, stop)
        tokens = super().run(*self._latest(tokens, stop), stop)
        self._last.entering[stop] = tokens.x
        return tokens

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        """See `Backbone.run_to_end`."""
        if start == 0:
            tokens, start = self._latest(tokens, self.backbone.blocks - 1)
        return super().run_to_end(tokens, start)

    def _latest(self, tokens: Tokens, stop: int) -> tuple[Tokens, int]:
        """Return the last known tokens that enter a block up to `stop`, and that block."""
        block = max((block for block in self._last.entering if block <= stop), default=0)
        return (replace(tokens, x=self._last.entering[block]), block) if block else (tokens, 0)


class _Last(local):
    """A thread's last frames [F, 3, H, W], their embedding, and by block the x [F, L, D] that enters it."""

    def __init__(self) -> None:
        self.frames: Tensor | None = None
        self.embedded: Tokens | None = None
        self.entering: dict[int, Tensor] = {}
