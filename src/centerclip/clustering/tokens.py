"""`Tokens`: the sequences that travel through a vision tower, and where each patch token comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["Tokens", "join"]


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Sequences of tokens, `[class token,] patch tokens`, so L = has_class_token + P.

    Made at the patch embedding, gathered by a reduction, and read by the blocks.

    Attributes:
        x: [..., L, D] the tokens, class token first where there is one.
        positions: [..., P, 3] float32, each patch token's frame, and its row and column in the frame's grid
            of patches. A blended token has the weighted mean of the positions that were blended.
        sizes: [..., P] float32, how many patches each token stands for, where attention is weighted by it;
            None where each token counts as one.
        has_class_token: whether x begins with a class token.
        owners: [..., N] int64 in 0..P - 1, to which patch token each of the N first ones belongs; None where
            nobody asked, or a reducer doesn't say. Of videos it counts through all of a video's sequences.
    """

    x: Tensor
    positions: Tensor
    sizes: Tensor | None = None
    has_class_token: bool = False
    owners: Tensor | None = None

    @property
    def patches(self) -> Tensor:
        """[..., P, D] the patch tokens."""
        return self.x[..., 1:, :] if self.has_class_token else self.x

    @property
    def class_token(self) -> Tensor | None:
        """[..., D], or None without one."""
        return self.x[..., 0, :] if self.has_class_token else None

    @property
    def sequence(self) -> Tensor:
        """[G, n * P, D] the patch tokens of segments [G, n, L, D], frame after frame."""
        return self.patches.flatten(1, 2)

    @property
    def bias(self) -> Tensor | None:
        """[G, 1, 1, L] float32, to be added to the attention scores of sequences [G, L, D], or None.

        The logarithm of the sizes, so that a blended token draws as much attention as all that it stands for.

        Source: ToMe (arXiv 2210.09461) section 3, proportional attention.
        """
        if self.sizes is None:
            return None
        return pad(self.sizes.float().log(), (int(self.has_class_token), 0))[:, None, None]  # [G, 1, 1, L]

    def map(self, function: Callable[[Tensor], Tensor]) -> Tokens:
        """Apply the same change of the leading dimensions to x, positions and sizes; owners are left out."""
        sizes = None if self.sizes is None else function(self.sizes)
        return Tokens(function(self.x), function(self.positions), sizes, self.has_class_token)

    def reshape(self, *leading: int) -> Tokens:
        """The same with other leading dimensions, owners left out: `reshape(-1)` makes them one."""
        dimensions = self.x.ndim - 2
        return self.map(lambda values: values.reshape(*leading, *values.shape[dimensions:]))

    def with_(self, *, patches: Tensor | None = None, class_token: Tensor | None = None) -> Tokens:
        """The same with other patch tokens [..., P, D], or another class token [..., D]."""
        patches = self.patches if patches is None else patches
        class_token = self.class_token if class_token is None else class_token
        return replace(self, x=join(class_token, patches))


def join(class_token: Tensor | None, patches: Tensor) -> Tensor:
    """[..., D] or None, and [..., P, D], to sequences [..., L, D]."""
    return patches if class_token is None else torch.cat((class_token.unsqueeze(-2), patches), -2)
