"""What a reducer is, and how it is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from centerclip.clustering.kmedoids import Clustering
from centerclip.clustering.tokens import Tokens
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

__all__ = ["Reducer", "parse_reducer", "reducer_config"]


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
    options = {}
    for field in fields(reducer):
        value = getattr(reducer, field.name)
        is_real = isinstance(field.default, float) and type(value) is int  # 1 and 1.0 are the same option
        options[field.name] = float(value) if is_real else value
    return write_options(reducer.name, options, "reducer")
