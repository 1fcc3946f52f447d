"""What every reducer takes and gives, and the order of a segment's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

__all__ = ["Reduced", "Reducer", "flatten", "keep", "mean_class_token"]


@dataclass(frozen=True)
class Reduced:
    """What a reducer leaves of G segments.

    Attributes:
        patches: [G, K, D] the patch tokens that remain.
        class_tokens: [G, D] the segments' class tokens, each the mean over its frames; None for towers
            without one.
        kept: [G, K] int64, the ascending positions of the kept tokens among the segment's n * P tokens;
            None where tokens are blended (pool, merge).
        labels: [G, n * P] int64, to which remaining token 0..K-1 each token belongs; None where the
            reducer doesn't say.
        sizes: [G, K] float32, how many tokens each remaining one stands for, if attention is to be
            weighted by it; only merge sets it.
    """

    patches: Tensor
    class_tokens: Tensor | None
    kept: Tensor | None = None
    labels: Tensor | None = None
    sizes: Tensor | None = None


class Reducer(Protocol):
    """Turns the tokens of segments of equal length into fewer tokens. Has options, no parameters."""

    name: ClassVar[str]

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        """Reduce each segment to `tokens` patch tokens and at most one class token.

        The gradient reaches what remains, never the choice.

        Args:
            patches: [G, n, P, D] the patch tokens of G segments of n frames, any float dtype.
            class_tokens: [G, n, D], or None for towers without one.
            tokens: K, 1 <= K <= n * P.
            sizes: [G, n, P] how many tokens each one stands for since an earlier reduction, None for one.
            training: whether a reducer that may choose at random does.

        Raises:
            ValueError: tokens outside 1..n * P, or patches that the reducer can't use.
            ConfigError: the reducer is not for this tower.
        """
        ...


def flatten(patches: Tensor, tokens: int) -> Tensor:
    """The token sequence of each segment, frame after frame: [G, n, P, D] -> [G, n * P, D].

    Raises:
        ValueError: a sequence holds fewer than `tokens` tokens, or `tokens` is less than 1.
    """
    sequence = patches.flatten(1, 2)
    if not 1 <= tokens <= sequence.shape[1]:
        raise ValueError(
            f"tokens is {tokens}, but must be from 1 to the {sequence.shape[1]} tokens of a segment of "
            f"{patches.shape[1]} frames"
        )
    return sequence


def keep(sequence: Tensor, kept: Tensor) -> Tensor:
    """The tokens of [G, N, D] at positions [G, K]: [G, K, D]."""
    return sequence.gather(1, kept[..., None].expand(-1, -1, sequence.shape[-1]))


def mean_class_token(class_tokens: Tensor | None) -> Tensor | None:
    """One class token a segment: [G, n, D] -> [G, D]."""
    return None if class_tokens is None else class_tokens.mean(1)
