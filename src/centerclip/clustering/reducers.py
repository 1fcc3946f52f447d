"""Token reducers: the tokens of a segment in, fewer tokens out.

The only place that knows the order of a segment's tokens: frame-major, frame by frame and within a
frame row by row. Knows no model; a reducer has no parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from centerclip.clustering.kmedoids import Clustering, kmedoids
from centerclip.errors import ConfigError

__all__ = ["REDUCERS", "Reduced", "Reducer", "make_reducer", "reducer_config"]


@dataclass(frozen=True)
class Reduced:
    """What a reducer leaves of G segments.

    Attributes:
        patches: [G, K, D] the remaining patch tokens.
        class_tokens: [G, D] the segments' class tokens, the mean over their frames; None for towers
            without one.
        kept: [G, K] int64, ascending positions of the kept tokens among the segment's n * P tokens,
            frame-major; None where tokens are blended (pool, merge).
        labels: [G, n * P] int64, which output token (0..K-1) each input token belongs to; None where
            the reducer doesn't say.
        sizes: [G, K] how many input tokens each output token stands for; only merge sets it.
    """

    patches: Tensor
    class_tokens: Tensor | None
    kept: Tensor | None = None
    labels: Tensor | None = None
    sizes: Tensor | None = None


class Reducer(Protocol):
    """Reduces the patch tokens of equal-length segments."""

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

        Args:
            patches: [G, n, P, D] patch tokens of G segments of n frames.
            class_tokens: [G, n, D], or None for towers without one.
            tokens: K, 1 <= K <= n * P.
            sizes: [G, n, P] how many tokens each input stands for, as an earlier reduction left it.
            training: whether a reducer may choose at random.

        Raises:
            ValueError: tokens outside 1..n * P, or patches not finite.
        """
        ...


def _flatten(patches: Tensor, tokens: int) -> Tensor:
    """The token sequence of each segment, [G, n, P, D] -> [G, n * P, D]."""
    flat = patches.flatten(1, 2)
    if not 1 <= tokens <= flat.shape[1]:
        raise ValueError(
            f"{tokens} tokens can't be kept of a segment's {flat.shape[1]}: ask for 1 to {flat.shape[1]}"
        )
    return flat


def _mean(class_tokens: Tensor | None) -> Tensor | None:
    return None if class_tokens is None else class_tokens.mean(1)  # [G, D]


def _keep(flat: Tensor, kept: Tensor) -> Tensor:
    """The tokens at positions `kept` [G, K]; the gradient reaches these alone."""
    return flat.gather(1, kept[..., None].expand(-1, -1, flat.shape[-1]))  # [G, K, D]


@dataclass(frozen=True)
class KMedoids:
    """Keeps the center tokens found by k-medoids."""

    name: ClassVar[str] = "kmedoids"
    metric: str = "euclidean"
    max_iter: int = 100

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        flat = _flatten(patches, tokens)
        found: Clustering = kmedoids(flat, tokens, metric=self.metric, max_iter=self.max_iter)
        return Reduced(_keep(flat, found.medoids), _mean(class_tokens), found.medoids, found.labels)


@dataclass(frozen=True)
class Pool:
    """Averages each position over the segment's frames."""

    name: ClassVar[str] = "pool"

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        _flatten(patches, tokens)
        groups = -(-tokens // patches.shape[2])
        frames = adaptive_avg_pool1d(patches.flatten(2).mT, groups).mT  # [G, groups, P * D]
        sequence = frames.reshape(len(patches), -1, patches.shape[-1])  # [G, groups * P, D]
        return Reduced(adaptive_avg_pool1d(sequence.mT, tokens).mT, _mean(class_tokens))


@dataclass(frozen=True)
class Sample:
    """Keeps one token of each of K equal strides: its center, or a random one in training."""

    name: ClassVar[str] = "sample"

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        flat = _flatten(patches, tokens)
        edges = torch.arange(tokens + 1, device=flat.device) * flat.shape[1] // tokens
        width = edges.diff()
        within = torch.full((len(flat), tokens), 0.5, device=flat.device)
        if training:
            within = torch.rand(len(flat), tokens, device=flat.device)
        kept = edges[:-1] + (within * width).long().minimum(width - 1)
        return Reduced(_keep(flat, kept), _mean(class_tokens), kept)


_MAKERS: dict[str, Callable[..., Reducer]] = {made.name: made for made in (KMedoids, Pool, Sample)}

REDUCERS: tuple[str, ...] = tuple(_MAKERS)


def make_reducer(name: str, **options: Any) -> Reducer:
    """Make a reducer by name.

    Args:
        name: one of `REDUCERS`.
        options: what the reducer takes, such as `metric` and `max_iter` of kmedoids.

    Raises:
        ConfigError: an unknown name or option.
    """
    if name not in _MAKERS:
        raise ConfigError(f"reducer {name!r} is unknown: choose one of {', '.join(REDUCERS)}")
    try:
        return _MAKERS[name](**options)
    except TypeError as error:
        raise ConfigError(f"reducer {name} doesn't take these options: {error}") from error


def reducer_config(reducer: Reducer) -> dict[str, Any]:
    """The name and options of a reducer, such that `make_reducer(**config)` makes an equal one."""
    return {"name": reducer.name, **asdict(reducer)}  # type: ignore[call-overload]
