"""What a comparison of whole videos reads: contents near a vector, and windows of several contents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from centerclip.index.schema import StoredWindow
from centerclip.index.sql import any_of
from centerclip.index.vectors import unit_vectors
from centerclip.index.video_index import VideoIndex

__all__ = ["contents_near", "windows_of"]


def contents_near(index: VideoIndex, vectors: ArrayLike, *, top: int = 10) -> list[list[str]]:
    """Return the ids of the contents whose windows are nearest to each query vector, nearest first.

    It takes less time than `VideoIndex.search`, as it reads no rows.

    Args:
        index: to search.
        vectors: [Q, E] or [E], compared by cosine.
        top: contents per query, at least 1.

    Raises:
        QueryError: a vector is zero, not finite or not of size E.
    """
    if index.model is None:
        return [[] for _ in np.atleast_2d(np.asarray(vectors))]
    units = unit_vectors(vectors, index.model.embed_size)
    return index._read(lambda snapshot: snapshot.contents_near(units, top))


def windows_of(index: VideoIndex, video_ids: Sequence[str]) -> dict[str, list[StoredWindow]]:
    """Return the windows of several contents in time order, those of the first path; of unknown ones none."""
    if index.model is None or not video_ids:
        return {}
    found = index._read(lambda snapshot: snapshot.rows(any_of("video_id", video_ids)))
    grouped: dict[str, list[StoredWindow]] = {}
    for window in found:  # ordered by path and time
        held = grouped.setdefault(window.video_id, [])
        if not held or held[0].path == window.path:
            held.append(window)
    return grouped
