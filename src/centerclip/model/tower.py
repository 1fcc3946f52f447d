"""What may run the vision tower in place of a backbone: a compiled or rounded stand-in for inference."""

from __future__ import annotations

from torch import Tensor

from centerclip.clustering import Tokens
from centerclip.model.backbones import Backbone

__all__ = ["Tower"]


class Tower:
    """Runs the vision tower of a backbone. A subclass replaces what it does in another way.

    No module, so that a model that has one keeps its parameters, and their names.
    """

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone

    def embed(self, frames: Tensor) -> Tokens:
        """Do what `Backbone.embed` does."""
        return self.backbone.embed(frames)

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        """Do what `Backbone.run` does."""
        return self.backbone.run(tokens, start, stop)

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        """Do what `Backbone.run_to_end` does."""
        return self.backbone.run_to_end(tokens, start)
