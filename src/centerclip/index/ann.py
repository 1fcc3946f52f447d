"""The ANN index of the table of windows: when to build it again, and of which type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["build_ann", "default_probes", "partitions_for"]

_PARTITION = 16_384
"""Windows per partition."""
_PROBES = 64
"""Minimum number of partitions to search."""
_UNINDEXED = 20_000
"""Rows added since that each search compares one by one, which takes 17 ms for 10,000 x 512."""
_PARTS = 20
"""Number of parts in which a search looks one after the other, which takes 1 ms each. The engine can't merge
them. Building again takes 43 s of processor time per million windows, as much as encoding a hundred."""
_PREFIX = "ann_"
"""Of the index's name, followed by the number of rows it was built from."""


def partitions_for(rows: int) -> int:
    """Return the number of partitions of an index that is built from this number of rows."""
    return max(1, rows // _PARTITION)


def default_probes(rows: int) -> int:
    """Return how many partitions a search reads: all of them up to a million windows, then ever fewer.

    Where vectors have no large clusters, some partitions hold half of the nearest ones. Of the 10 nearest of
    10,000,000, 64 partitions hold 9.7, the 122 read here 9.94, and 213 of 610 not more after rounding.
    """
    return max(_PROBES, partitions_for(rows) // 5)


def build_ann(windows: Any, embed_size: int, *, compact: Callable[[], None]) -> bool:
    """Build the ANN index, again once the rows have doubled or it has many parts; otherwise add later rows.

    Its name states the number of rows it was built from, which determined its number of partitions.

    Args:
        windows: the table.
        embed_size: E.
        compact: adds later rows to it, as a part of their own.

    Returns:
        Whether it was built.
    """
    rows = int(windows.count_rows())
    indices = {int(index.name.removeprefix(_PREFIX)): index for index in windows.list_indices()}
    if indices:
        newest = indices[max(indices)]
        if rows < 2 * max(indices) and windows.index_stats(newest.name).num_indices < _PARTS:
            if newest.num_unindexed_rows > min(rows // 10, _UNINDEXED):
                compact()
            return False
    name = f"{_PREFIX}{rows}"
    windows.create_index("vector", config=_config(embed_size), name=name)
    for index in indices.values():
        if index.name != name:
            windows.drop_index(index.name)
    return True


def _config(embed_size: int) -> Any:
    """Return the index type: 3 bits per number in few, large partitions, so that all can be searched.

    Over 1,000,000 x 512, a search takes 25 ms on one core and the index 217 MB of memory. Cosine, because
    with dot the partitions become so uneven that a query takes five times as long.
    """
    from lancedb.index import IvfRq, IvfSq

    if embed_size % 8 == 0:
        return IvfRq(distance_type="cosine", num_bits=3, target_partition_size=_PARTITION)
    # IvfRq supports only multiples of 8.
    return IvfSq(distance_type="cosine", target_partition_size=_PARTITION)
