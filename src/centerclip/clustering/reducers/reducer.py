"""What a reducer is, and the one way to carry it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from centerclip.clustering.kmedoids import Clustering
from centerclip.clustering.tokens import Tokens, join
from centerclip.errors import ConfigError
from centerclip.naming import (
    REDUCER_CLASSES,
    REDUCERS,
    format_name,
    name_of,
    read_options,
    resolve,
    write_options,
)

__all__ = ["Reducer", "parse_reducer", "reduce", "reducer_config"]

_ROUNDING = 1e-3
"""How far the sum of a blended token's weights may be from 1."""


@dataclass(frozen=True)
class Reducer:
    """Decides which tokens of a segment go on, or how they are blended.

    A subclass is a frozen dataclass whose fields are its options (text, numbers, truth values or None), and
    has either `choose` or `blend`. Both are called without gradient and outside of autocast. `reduce` does
    everything else.
    """

    weighted: ClassVar[bool] = False
    """Whether each token goes into one blended token alone, and attention is weighted by how many patches a
    token stands for."""

    @property
    def name(self) -> str:
        """Of a built-in reducer its short name, or else `module:Class`."""
        return name_of(type(self), REDUCER_CLASSES)

    @property
    def label(self) -> str:
        """The name and the options that are not default, as `parse_reducer` reads them."""
        plain = {field.name: field.default for field in fields(self)}
        config = reducer_config(self)
        name = config.pop("name")
        return format_name(name, {key: value for key, value in config.items() if value != plain[key]})

    @property
    def blends(self) -> bool:
        """Whether tokens are blended, so that none is kept as it was."""
        return type(self).blend is not Reducer.blend

    def choose(self, tokens: Tokens, k: int) -> Tensor | Clustering:
        """Choose the tokens to keep.

        Args:
            tokens: x [G, n, L, D], G segments of n frames. `tokens.sequence` [G, N, D] has the
                N = n * P patch tokens, frame after frame.
            k: K, 1 <= K <= N.

        Returns:
            [G, K] int64, distinct places in the sequence in any order; or a `Clustering`, whose medoids are
            kept, and whose labels say to which of them each token belongs.
        """
        raise ConfigError(f"reducer {self.name} has neither choose nor blend: write one of them")

    def choose_in_training(self, tokens: Tokens, k: int) -> Tensor | Clustering:
        """`choose` in training mode, where a reducer may draw at random."""
        return self.choose(tokens, k)

    def blend(self, tokens: Tokens, k: int) -> Tensor:
        """Blend tokens into fewer, each a weighted mean.

        Args:
            tokens, k: as in `choose`. `tokens.sizes` [G, n, P] are those of an earlier reduction.

        Returns:
            [G, K, N] floats, the share that each of the N tokens has in each of the K that remain: none is
            negative, and rows add up to 1.
        """
        raise NotImplementedError

    def shift(self, tokens: Tokens) -> Tokens:
        """Change the tokens [G, n, L, D] of segments before they are reduced; with gradient."""
        return tokens


def parse_reducer(given: str | Mapping[str, Any] | Reducer) -> Reducer:
    """Make a reducer.

    Args:
        given: `kmedoids`, `spectral(graph=knn, sigma=2.0)`, `my_module:MyReducer(option=1)`; a table with a
            `name` and options; or a reducer, which is returned.

    Raises:
        ConfigError: an unknown name or option, a value out of range, or a class that is no reducer.
    """
    if isinstance(given, Reducer):
        return given
    if isinstance(given, type) and issubclass(given, Reducer):
        raise ConfigError(f"reducer is the class {given.__name__}: give an instance, {given.__name__}()")
    if not isinstance(given, str | Mapping):
        raise ConfigError(
            f"reducer is {given!r}: give a name ({', '.join(REDUCERS)}, or module:Class) or an instance of a "
            "subclass of centerclip.clustering.Reducer"
        )
    name, options = read_options(given, "reducer")
    made = resolve(name, REDUCER_CLASSES, Reducer, "reducer")
    try:
        return made(**options)
    except (TypeError, ValueError) as error:
        known = ", ".join(field.name for field in fields(made)) or "none"
        raise ConfigError(
            f"reducer {name} can't be made with {options}: {error} (its options: {known})"
        ) from error


def reducer_config(reducer: Reducer) -> dict[str, Any]:
    """The name and all options of a reducer, from which `parse_reducer` makes an equal one.

    Raises:
        ConfigError: an option that can't be saved.
    """
    options = {field.name: getattr(reducer, field.name) for field in fields(reducer)}
    return write_options(reducer.name, options, "reducer")


def reduce(tokens: Tokens, k: int, reducer: Reducer, *, training: bool = False) -> Tokens:
    """Reduce each segment to K patch tokens, and its class tokens to their mean.

    The gradient reaches what remains, never the choice.

    Args:
        tokens: x [G, n, L, D], G segments of n frames, any float dtype.
        k: K, 1 <= K <= n * P.
        reducer: chooses or blends.
        training: whether a reducer that draws at random may do so.

    Returns:
        x [G, L, D] with K patch tokens, kept ones in the order of the sequence. Owners are [G, n * P]
        where the reducer says to which token each one belongs.

    Raises:
        ValueError: k outside 1..n * P.
        ConfigError: the reducer isn't for this tower, or returned something it mustn't.
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
        _check(reducer, "kept", kept, (len(sequence), k), torch.int64)
        if owners is None:
            kept = kept.sort(1).values
        else:
            _check(reducer, "labels", owners, sequence.shape[:2], torch.int64)
        last = sequence.shape[1] - 1
        if ((kept[:, 0] < 0) | (kept[:, -1] > last) | (kept.diff(dim=1) < 1).any(1)).any():
            raise ConfigError(
                f"reducer {reducer.name} must keep {k} different tokens of each segment, from 0 to {last}; "
                "the medoids of a Clustering have to ascend"
            )

    def take(values: Tensor) -> Tensor:
        return values.gather(1, kept[..., None].expand(-1, -1, values.shape[-1]))  # [G, K, ...]

    sizes = None if tokens.sizes is None else tokens.sizes.flatten(1).gather(1, kept)  # [G, K]
    return Tokens(take(sequence), take(tokens.positions.flatten(1, 2)), sizes, owners=owners)


def _blend(tokens: Tokens, k: int, reducer: Reducer) -> Tokens:
    sequence = tokens.sequence  # [G, N, D]
    with torch.no_grad():
        weights = reducer.blend(tokens, k)  # [G, K, N]
        _check(reducer, "weights", weights, (len(sequence), k, sequence.shape[1]))
        if not ((weights >= 0).all(2) & ((weights.sum(2) - 1).abs() < _ROUNDING)).all():
            raise ConfigError(
                f"reducer {reducer.name} must return weights of at least 0 that add up to 1 in each row"
            )

    def mean(values: Tensor) -> Tensor:
        wide = torch.promote_types(values.dtype, torch.float32)
        return (weights.to(wide) @ values.to(wide)).to(values.dtype)  # [G, K, ...]

    sizes = owners = None
    if reducer.weighted:
        own = (
            weights.new_ones(weights.shape[::2]) if tokens.sizes is None else tokens.sizes.flatten(1)
        )  # [G, N]
        total = weights.sum(1, keepdim=True)  # [G, 1, N], 0 for a token that is dropped
        sizes = (weights / total.where(total > 0, 1) * own[:, None]).sum(2)  # [G, K]
        owners = weights.argmax(1)  # [G, N]
    return Tokens(mean(sequence), mean(tokens.positions.flatten(1, 2)), sizes, owners=owners)


def _check(
    reducer: Reducer, what: str, value: Any, shape: Sequence[int], dtype: torch.dtype | None = None
) -> None:
    """Check a tensor that a reducer returned; any float will do where no dtype is asked for.

    Raises:
        ConfigError: it is something else.
    """
    is_tensor = isinstance(value, Tensor) and value.shape == torch.Size(shape)
    if not is_tensor or not (value.dtype == dtype if dtype else value.is_floating_point()):
        got = f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        needed = f"{dtype or 'floats'} {list(shape)}"
        raise ConfigError(f"reducer {reducer.name} returned {what} of {got}, but {needed} are needed")
