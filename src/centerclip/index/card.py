"""The model card: what an index remembers of the model that made it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

__all__ = ["ModelCard"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The model and the settings that every vector of an index was made with.

    `fingerprint` alone decides whether vectors may be compared; the rest tells people which model it is.
    `probe` tells the text tower alone (`centerclip.model.text`), "" where there is no tokenizer. `embed_size`
    is E; `frames` is T of one window of at most `window_seconds`.
    """

    fingerprint: str
    name: str
    schedule: str
    reducer: str
    frames: int
    embed_size: int
    window_seconds: float
    probe: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.name} (schedule {self.schedule}, {self.frames} frames, fingerprint {self.fingerprint})"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        return cls(**json.loads(text))
