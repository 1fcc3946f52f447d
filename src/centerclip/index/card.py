"""The model card: what an index remembers of the model that made it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Literal

__all__ = ["ModelCard"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The model and the settings that every vector of an index was made with.

    `fingerprint` alone decides whether a query may be compared with the vectors. `embed_size` is E; `frames`
    is T of one window of at most `window_seconds`. `precision` is "int8", or "float" for float32 and
    bfloat16, which may share an index. `probe` identifies the text tower alone (`centerclip.model.text`); it
    is "" without a tokenizer. The rest tells people which model it is.
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

    def __str__(self) -> str:
        return f"{self.name} (schedule {self.schedule}, {self.frames} frames, fingerprint {self.fingerprint})"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        return cls(**json.loads(text))
