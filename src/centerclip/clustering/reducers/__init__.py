"""Token reducers, by name: the tokens of segments in, fewer tokens out.

The only place that knows the order of a segment's tokens: frame after frame, and within a frame row by
row. Knows no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from centerclip.clustering.reducers.clustered import KMedoids, Spectral
from centerclip.clustering.reducers.fixed import Pool, Sample, TemporalShift, TokenShift
from centerclip.clustering.reducers.merging import Merge
from centerclip.clustering.reducers.reducer import Reduced, Reducer
from centerclip.errors import ConfigError

__all__ = ["REDUCERS", "Reduced", "Reducer", "make_reducer", "reducer_config"]

_MAKERS: dict[str, Callable[..., Reducer]] = {
    made.name: made for made in (KMedoids, Spectral, Pool, Sample, TemporalShift, TokenShift, Merge)
}

REDUCERS = tuple(_MAKERS)


def make_reducer(name: str, **options: Any) -> Reducer:
    """Make a reducer by name.

    Args:
        name: one of `REDUCERS`.
        options: of `kmedoids`: metric, max_iter; of `spectral`: graph, sigma, neighbors, mutual, max_iter,
            as of the functions of these names. The others have none.

    Raises:
        ConfigError: an unknown name or option, or a value out of range.
    """
    if name not in _MAKERS:
        raise ConfigError(f"reducer {name!r} is unknown: choose one of {', '.join(REDUCERS)}")
    try:
        return _MAKERS[name](**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"reducer {name} can't be made with {options}: {error}") from error


def reducer_config(reducer: Reducer) -> dict[str, Any]:
    """The name and options of a reducer, of which `make_reducer(**config)` makes an equal one."""
    return {"name": reducer.name, **asdict(reducer)}  # type: ignore[call-overload]
