"""The base class of reducers, and how they are named and saved."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

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

__all__ = ["LATER", "Reducer", "parse_reducer", "reducer_config"]

LATER = {"later": True}
"""Metadata of options that reducers didn't always have: `reducer_config` leaves out their defaults, so that
the fingerprints of models and indexes made before stay the same."""


@dataclass(frozen=True)
class Reducer:
    """Decides which tokens of a segment to keep, or how to blend them.

    A subclass is a frozen dataclass with its options as fields (text, numbers, booleans or None), and defines
    either `choose` or `blend`. Both are called without gradient and autocast. `reduce` does everything else.
    """

    @property
    def weighted(self) -> bool:
        """Whether attention is weighted by the number of patches that each remaining token stands for.

        Requires a `choose` that returns a `Clustering`, or a `blend` that puts each token into a single one.
        """
        return False

    @property
    def revision(self) -> int:
        """Raised when the same options come to keep other tokens; fingerprints contain it unless it is 0."""
        return 0

    @property
    def name(self) -> str:
        """The built-in name, or `module:Class`."""
        return name_of(type(self), REDUCER_CLASSES)

    @property
    def label(self) -> str:
        """The name with all options that aren't defaults, as `parse_reducer` reads it."""
        defaults = {field.name: field.default for field in fields(self)}
        config = reducer_config(self)
        name = config.pop("name")
        return format_name(name, {key: value for key, value in config.items() if value != defaults[key]})

    @property
    def blends(self) -> bool:
        """Whether tokens are blended instead of kept."""
        return type(self).blend is not Reducer.blend

    def choose(self, tokens: Tokens, k: int) -> Tensor | Clustering:
        """Choose the tokens to keep.

        Args:
            tokens: x [G, n, L, D], G segments of n frames. `tokens.sequence` [G, N, D] has all N = n * P
                patch tokens, frame after frame.
            k: K, 1 <= K <= N.

        Returns:
            [G, K] int64, distinct indices into the sequence in any order; or a `Clustering`, to keep its
            medoids and record its labels.
        """
        raise ConfigError(f"reducer {self.name} has neither choose nor blend: write one of them")

    def choose_in_training(self, tokens: Tokens, k: int) -> Tensor | Clustering:
        """`choose` in training mode, where a reducer may draw random tokens."""
        return self.choose(tokens, k)

    def blend(self, tokens: Tokens, k: int) -> Tensor:
        """Blend tokens into fewer, each a weighted mean.

        Args:
            tokens, k: as in `choose`. `tokens.sizes` [G, n, P] come from an earlier reduction.

        Returns:
            [G, K, N] floats, the weight of each of the N tokens in each of the K remaining ones: at least 0,
            and each row sums to 1.
        """
        raise NotImplementedError

    def shift(self, tokens: Tokens) -> Tokens:
        """Change the tokens [G, n, L, D] of segments before reduction; with gradient."""
        return tokens


def parse_reducer(given: str | Mapping[str, Any] | Reducer) -> Reducer:
    """Make a reducer.

    Args:
        given: `kmedoids`, `spectral(graph=knn, sigma=2.0)`, `my_module:MyReducer(option=1)`; a table with a
            `name` and options; or a reducer, which is returned unchanged.

    Raises:
        ConfigError: an unknown name or option, a value out of range, or a class that isn't a reducer.
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
    """List a reducer's name and options, from which `parse_reducer` makes an equal one.

    Raises:
        ConfigError: an option that can't be saved.
    """
    options = {}
    for field in fields(reducer):
        value = getattr(reducer, field.name)
        if value == field.default and field.metadata.get("later"):
            continue
        is_real = isinstance(field.default, float) and type(value) is int  # 1 and 1.0 are the same option
        options[field.name] = float(value) if is_real else value
    return write_options(reducer.name, options, "reducer")
