"""Applies a reducer's decision, after checking it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from centerclip.clustering.kmedoids import Clustering
from centerclip.clustering.reducers.reducer import Reducer
from centerclip.clustering.tokens import Tokens, join
from centerclip.errors import ConfigError

__all__ = ["reduce"]

_ROUNDING = 1e-3
"""Tolerance for sums of blending weights, which should be 1."""


def reduce(tokens: Tokens, k: int, reducer: Reducer, *, training: bool = False) -> Tokens:
    """Reduce each segment to K patch tokens, and its class tokens to their mean.

    Gradients flow through the remaining tokens, not through the choice.

    Args:
        tokens: x [G, n, L, D], G segments of n frames, any float dtype.
        k: K, 1 <= K <= n * P.
        reducer: chooses or blends.
        training: whether the reducer may draw random tokens.

    Returns:
        x [G, L, D] with K patch tokens; kept tokens stay in order. Owners are [G, n * P] if the reducer
        assigns every token.

    Raises:
        ValueError: k outside 1..n * P.
        ConfigError: the reducer doesn't suit this tower, or returned an invalid result.
    """
    frames = tokens.x.shape[1]
    count = frames * tokens.positions.shape[2]
    if not 1 <= k <= count:
        raise ValueError(
            f"tokens is {k}, but must be from 1 to the {count} tokens of a segment of {frames} frames"
        )
    tokens = reducer.shift(tokens)
    with torch.autocast(tokens.x.device.type, enabled=False):
        reduced = _blend(tokens, k, reducer) if reducer.blends else _keep(tokens, k, reducer, training)
    class_token = None if tokens.class_token is None else tokens.class_token.mean(1)  # [G, D]
    return replace(reduced, x=join(class_token, reduced.x), has_class_token=tokens.has_class_token)


def _keep(tokens: Tokens, k: int, reducer: Reducer, training: bool) -> Tokens:
    sequence = tokens.sequence  # [G, N, D]
    with torch.no_grad():
        choice = reducer.choose_in_training(tokens, k) if training else reducer.choose(tokens, k)
        kept, owners = (choice.medoids, choice.labels) if isinstance(choice, Clustering) else (choice, None)
        _check(reducer, "kept", kept, (sequence.shape[0], k), torch.int64)
        if owners is None:
            kept = kept.sort(1).values
        else:
            _check(reducer, "labels", owners, sequence.shape[:2], torch.int64)
        last = sequence.shape[1] - 1
        wrong = (kept[:, 0] < 0) | (kept[:, -1] > last) | (kept.diff(dim=1) < 1).any(1)
        if owners is not None:
            wrong |= ((owners < 0) | (owners >= k)).any(1)
        if not torch.compiler.is_compiling() and wrong.any():
            raise ConfigError(
                f"reducer {reducer.name} must return {k} different indices per segment from 0 to {last}; in "
                f"a Clustering, medoids must ascend and labels be from 0 to {k - 1}"
            )

    def take(values: Tensor) -> Tensor:
        return values.gather(1, kept[..., None].expand(-1, -1, values.shape[-1]))  # [G, K, ...]

    sizes = None if tokens.sizes is None else tokens.sizes.flatten(1).gather(1, kept)  # [G, K]
    if reducer.weighted:
        if owners is None:
            raise ConfigError(
                f"reducer {reducer.name} is weighted, so choose must return a Clustering, which says how "
                "many tokens each kept one stands for"
            )
        every = sequence.new_ones(owners.shape, dtype=torch.float32)
        every = every if tokens.sizes is None else tokens.sizes.flatten(1)
        summed = every.new_zeros(kept.shape).scatter_add_(1, owners, every)  # [G, K]
        # The class token stands for those of all frames. Counting it once would take attention from it, which
        # changes embeddings more (docs/pretrained.md).
        sizes = summed / tokens.x.shape[1]
    return Tokens(take(sequence), take(tokens.positions.flatten(1, 2)), sizes, owners=owners)


def _blend(tokens: Tokens, k: int, reducer: Reducer) -> Tokens:
    sequence = tokens.sequence  # [G, N, D]
    with torch.no_grad():
        weights = reducer.blend(tokens, k)  # [G, K, N]
        _check(reducer, "weights", weights, (sequence.shape[0], k, sequence.shape[1]))
        valid = (weights >= 0).all(2) & ((weights.sum(2) - 1).abs() < _ROUNDING)
        if not torch.compiler.is_compiling() and not valid.all():
            raise ConfigError(
                f"reducer {reducer.name} must return weights of at least 0 that sum to 1 in each row"
            )

    def mean(values: Tensor) -> Tensor:
        wide = torch.promote_types(values.dtype, torch.float32)
        return (weights.to(wide) @ values.to(wide)).to(values.dtype)  # [G, K, ...]

    sizes = owners = None
    if reducer.weighted:
        total = weights.sum(1, keepdim=True)  # [G, 1, N], 0 for a token that is dropped
        shares = weights / total.where(total > 0, 1)  # [G, K, N]
        if tokens.sizes is not None:
            shares = shares * tokens.sizes.flatten(1)[:, None]
        sizes = shares.sum(2)  # [G, K]
        owners = weights.argmax(1)  # [G, N]
    return Tokens(mean(sequence), mean(tokens.positions.flatten(1, 2)), sizes, owners=owners)


def _check(
    reducer: Reducer, what: str, value: Any, shape: Sequence[int], dtype: torch.dtype | None = None
) -> None:
    """Raise ConfigError unless a reducer returned a tensor of this shape and dtype (default: any float)."""
    is_tensor = isinstance(value, Tensor) and tuple(value.shape) == tuple(shape)
    if not is_tensor or not (value.dtype == dtype if dtype else value.is_floating_point()):
        got = f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        needed = f"{dtype or 'floats'} {list(shape)}"
        raise ConfigError(f"reducer {reducer.name} returned {what} of {got}, but must return {needed}")
