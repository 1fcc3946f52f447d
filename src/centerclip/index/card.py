"""The model card: what an index stores about the model that made it."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, field
from typing import Literal

from centerclip.records import Sampling

__all__ = ["ModelCard"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The model and the settings that made every vector of an index.

    `fingerprint` alone decides whether queries can be compared with the vectors. `embed_size` is E; a window
    of at most `window_seconds` has T = `frames`. `precision` is "float" for an index that holds nothing in
    int8, otherwise "int8". `probe` identifies the text tower (`centerclip.model.text`); it is "" without a
    tokenizer. `backbone` names an own backbone (`module:Class`), without which the model can't be loaded.
    `sampling` says which frame represents a stride of a window; cards of earlier versions don't, and mean the
    one at the center. The rest is for people.
    """

    fingerprint: str
    name: str
    schedule: str
    reducer: str
    frames: int
    embed_size: int
    window_seconds: float
    precision: Literal["float", "int8"]
    probe: str = field(default="", compare=False)
    backbone: str = ""
    sampling: Sampling = "center"

    def __str__(self) -> str:
        return f"{self.name} (schedule {self.schedule}, {self.frames} frames, fingerprint {self.fingerprint})"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        return cls(**json.loads(text))

    @property
    def options(self) -> str:
        """The command's options that choose this model."""
        named = {"model": self.name, "schedule": self.schedule}
        if self.schedule != "none":  # the default reducer depends on the model
            named["reducer"] = self.reducer
        if self.backbone:
            named["backbone"] = self.backbone
        return " ".join(f"--{option} {shlex.quote(value)}" for option, value in named.items())
