"""A custom reducer that keeps the tokens of largest norm: python examples/custom_reducer.py

A reducer is a frozen dataclass with its options as fields, and a method that chooses tokens. Name it as
`module:Class(option=value)` wherever a reducer is expected: `--reducer 'custom_reducer:Loudest(order=1)'`. It
is part of the model's fingerprint, so an index never mixes reducers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

import centerclip as cc
from centerclip.clustering import Reducer, Tokens


@dataclass(frozen=True)
class Loudest(Reducer):
    """Keeps the K tokens of largest norm of each segment."""

    order: float = 2.0

    def choose(self, tokens: Tokens, k: int) -> Tensor:
        norms: Tensor = tokens.sequence.float().norm(self.order, dim=-1)  # [G, N, D] -> [G, N]
        return norms.topk(k).indices  # [G, K]


def main() -> None:
    model = cc.CenterCLIP.from_pretrained("nano", schedule="B6-4,49", reducer=Loudest())
    frames = torch.randint(0, 256, (1, 12, 3, 112, 112), dtype=torch.uint8)
    (stage,) = model.encode(model.preprocess(frames), trace=True).stages
    assert stage.kept is not None
    for segment, kept in enumerate(stage.kept[0].tolist()):
        places = [divmod(token, model.backbone.patches) for token in kept]
        counts = [sum(frame == own for own, _ in places) for frame in range(3 * segment, 3 * segment + 3)]
        print(f"segment {segment}: kept {counts} patches of its 3 frames")


if __name__ == "__main__":
    main()
