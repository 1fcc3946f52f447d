"""A plan of toy size, with a user's own reducer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from centerclip.clustering import Reducer, Tokens
from centerclip.lab.study import StudyConfig


@dataclass(frozen=True)
class Loudest(Reducer):
    """A user's own reducer."""

    order: float = 2.0

    def choose(self, tokens: Tokens, k: int) -> Tensor:
        return tokens.sequence.norm(self.order, dim=-1).topk(k).indices


SPECTRAL = "spectral(graph=knn, sigma=2.0)"
OWN = f"{__name__}:Loudest"
OTHER_OWN = f"{OWN}(order=1)"


def plan(shared: Path, output: Path, **changes: object) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "title": "A study of toy size",
            "output": output,
            "seeds": [0, 1],
            "frames": 4,
            "starts": {"plain": str(shared / "start")},
            "world": {"train": 6, "val": 2, "test": 6, "narrow": True},
            "data": {"dataset": "toy-world", "videos": shared / "world", "cache": shared, "workers": 1},
            "optimization": {"steps": 2, "batch_size": 3, "learning_rate": 1e-3},
            "variants": [
                {"schedules": ["none"]},
                {"reducers": ["kmedoids"], "schedules": ["B2-2,3"], "temporal": [False, True]},
                {"reducers": ["spectral(graph=knn,sigma=2.0)", OWN, OTHER_OWN], "schedules": ["B2-2,3"]},
                {"frames": [2]},
            ],
            "run_under": [{"schedules": ["none", "B2-2,3"]}],
            "margin": 2.0,
            "comparisons": [
                {"question": "Both?", "variant": "kmedoids_B2-2,3"},
                {"question": "Fewer?", "variant": "none_2-frames", "baseline": "kmedoids_B2-2,3"},
            ],
            **changes,
        }
    )
