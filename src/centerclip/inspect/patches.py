"""Marks patches of frames: dims the dropped ones, or shows each in the color of its cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from centerclip.inspect.colors import color_clusters
from centerclip.inspect.views import View

__all__ = ["DIM", "cluster_colors", "dim_dropped", "tint_clusters"]

DIM = 0.2
"""Brightness of dropped patches, which are also gray."""
_TINT = 0.68
"""Opacity of a cluster's color over the gray frame."""
_OUTLINE, _EDGE = (255, 255, 255), (12, 12, 14)


def dim_dropped(
    picture: NDArray[np.uint8], kept: NDArray[np.bool_], grid: tuple[int, int]
) -> NDArray[np.uint8]:
    """Darken the dropped patches and make them gray; kept ones are unchanged.

    Args:
        picture: [h, w, 3] uint8; h and w are multiples of rows and columns.
        kept: [P] bool, row by row.
        grid: (rows, columns).
    """
    gray = picture.mean(axis=2, keepdims=True) * DIM
    clear = _spread(kept.reshape(grid), picture)
    return np.where(clear[..., None], picture, gray.astype(np.uint8)).astype(np.uint8)


def tint_clusters(
    picture: NDArray[np.uint8],
    colors: NDArray[np.uint8],
    labels: NDArray[np.int64],
    kept: NDArray[np.bool_] | None,
    grid: tuple[int, int],
) -> NDArray[np.uint8]:
    """Color each patch by its cluster, with dark edges between clusters and outlined medoids.

    Args:
        picture: [h, w, 3] uint8; h and w are multiples of rows and columns.
        colors: [P, 3] uint8, the color of each patch.
        labels: [P], the cluster of each patch.
        kept: [P] bool, the medoids; None if clusters have none.
        grid: (rows, columns).
    """
    gray = picture.mean(axis=2, keepdims=True)
    tint = _spread(colors.reshape(*grid, 3), picture)
    tinted: NDArray[np.uint8] = (_TINT * tint + (1 - _TINT) * gray).astype(np.uint8)
    areas = _spread(labels.reshape(grid), picture)
    tinted[:, 1:][areas[:, 1:] != areas[:, :-1]] = _EDGE
    tinted[1:][areas[1:] != areas[:-1]] = _EDGE
    if kept is not None:
        down, across = picture.shape[0] // grid[0], picture.shape[1] // grid[1]
        wide = max(1, min(down, across) // 10)
        for place in np.flatnonzero(kept).tolist():
            top, left = place // grid[1] * down, place % grid[1] * across
            patch = tinted[top : top + down, left : left + across]
            inner = patch[1 + wide : -wide, 1 + wide : -wide].copy()
            patch[1:, 1:] = _OUTLINE
            patch[1 + wide : -wide, 1 + wide : -wide] = inner
    return tinted


def cluster_colors(view: View) -> NDArray[np.uint8]:
    """Return [T, P, 3], the color of each patch of a view with labels."""
    assert view.labels is not None
    assert view.reduction is not None
    colors = np.empty((*view.labels.shape, 3), dtype=np.uint8)
    segments = np.array(view.segments)
    for segment in np.unique(segments):
        own = view.labels[segments == segment]  # [n, P]
        found = color_clusters(own.reshape(-1, *view.grid), view.reduction.tokens)
        colors[segments == segment] = found[own]
    return colors


def _spread(values: NDArray[Any], picture: NDArray[np.uint8]) -> NDArray[Any]:
    """Repeat values per patch [rows, columns, ...] for each pixel of the picture."""
    down, across = picture.shape[0] // values.shape[0], picture.shape[1] // values.shape[1]
    return np.asarray(values.repeat(down, axis=0).repeat(across, axis=1))
