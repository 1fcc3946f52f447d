"""A reducer of one's own: keeps the tokens of largest norm. python examples/custom_reducer.py

A reducer is a frozen dataclass with a `name`, whose fields are its options, and a call. Pass it as
`reducer=`; only those that come with the package can be asked for by name. It is part of the model's
fingerprint, so an index never mixes it with another.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

import centerclip as cc
from centerclip.clustering.reducers import Reduced


@dataclass(frozen=True)
class Loudest:
    """Keeps the K tokens of largest norm of each segment, in their order."""

    name: ClassVar[str] = "loudest"
    order: float = 2.0

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        sequence = patches.flatten(1, 2)  # [G, n, P, D] -> [G, n*P, D]: frame, then row, then column
        norms = sequence.detach().float().norm(self.order, dim=-1)  # the choice has no gradient
        kept = norms.topk(tokens).indices.sort().values  # [G, K], ascending
        chosen = sequence.take_along_dim(kept[..., None], dim=1)  # [G, K, D], with its gradient
        return Reduced(chosen, None if class_tokens is None else class_tokens.mean(1), kept=kept)


def main() -> None:
    model = cc.CenterCLIP.from_pretrained("nano", schedule="B6-4,49", reducer=Loudest())
    frames = torch.randint(0, 256, (1, 12, 3, 112, 112), dtype=torch.uint8)
    (stage,) = model.trace(model.preprocess(frames))
    assert stage.kept is not None
    for segment, kept in enumerate(stage.kept[0].tolist()):
        places = [divmod(token, model.backbone.patches) for token in kept]
        counts = [sum(frame == own for own, _ in places) for frame in range(3 * segment, 3 * segment + 3)]
        print(f"segment {segment}: kept {counts} patches of its 3 frames")


if __name__ == "__main__":
    main()
