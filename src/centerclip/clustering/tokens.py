"""`Tokens`: the sequences inside a vision tower, and the origin of each patch token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["Tokens", "join"]


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Sequences of L = has_class_token + P tokens.

    The patch embedding creates them, reductions select from them, and blocks process them.

    Attributes:
        x: [..., L, D] the tokens; the class token, if any, is first.
        positions: [..., P, 3] float32, each patch token's frame, row and column. A blended token has the
            weighted mean position.
        sizes: [..., P] float32, how much attention each token receives relative to the class token, or None
            if all tokens receive the same. A merged token counts its patches; the center of a cluster counts
            its patches per frame, because the class token then stands for those of all frames.
        has_class_token: whether x begins with a class token.
        owners: [..., N] int64 in 0..P - 1, the patch token that each of the N original tokens belongs to.
            In videos [B, S, L, D], N = T * P and owners count through all S sequences. None if not tracked,
            or unknown to the reducer.
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
        """[..., D], or None."""
        return self.x[..., 0, :] if self.has_class_token else None

    @property
    def sequence(self) -> Tensor:
        """[G, n * P, D] the patch tokens of segments [G, n, L, D], frame after frame."""
        return self.patches.flatten(1, 2)

    @property
    def bias(self) -> Tensor | None:
        """[G, 1, 1, L] float32 to add to the attention scores of sequences [G, L, D], or None.

        The logarithm of the sizes: a token receives as much attention as its patches together.

        Source: ToMe (arXiv 2210.09461) section 3, proportional attention.
        """
        if self.sizes is None:
            return None
        return pad(self.sizes.float().log(), (int(self.has_class_token), 0))[:, None, None]  # [G, 1, 1, L]

    def map(self, function: Callable[[Tensor], Tensor]) -> Tokens:
        """Apply a change of the leading dimensions to x, positions and sizes; drops owners."""
        sizes = None if self.sizes is None else function(self.sizes)
        return Tokens(function(self.x), function(self.positions), sizes, self.has_class_token)

    def reshape(self, *leading: int) -> Tokens:
        """Change the leading dimensions, for example to one by `reshape(-1)`; drops owners."""
        dimensions = self.x.ndim - 2
        return self.map(lambda values: values.reshape(*leading, *values.shape[dimensions:]))

    def with_(self, *, patches: Tensor | None = None, class_token: Tensor | None = None) -> Tokens:
        """Replace the patch tokens [..., P, D] or the class token [..., D]."""
        patches = self.patches if patches is None else patches
        class_token = self.class_token if class_token is None else class_token
        return replace(self, x=join(class_token, patches))


def join(class_token: Tensor | None, patches: Tensor) -> Tensor:
    """Join class tokens [..., D] or None and patch tokens [..., P, D] into sequences [..., L, D]."""
    return patches if class_token is None else torch.cat((class_token.unsqueeze(-2), patches), -2)
