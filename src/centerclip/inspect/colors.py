"""Colors for clusters: distinct, also with red-green color blindness, and most distinct for neighbors.

Source: OKLab (B. Ottosson, 2020); color vision deficiency: Machado, Oliveira, Fernandes 2009, severity 1.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["color_clusters", "palette", "perceived"]

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_EYES = np.array(
    [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        # protanopia
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        # deuteranopia
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ]
)
_LEVELS = 12
_LIGHTNESS = (0.55, 0.9)
"""Darker colors are hard to see on the dark background; lighter ones look like the white outlines."""
_MIN_CHROMA = 0.07
"""Grayer colors look like the frame, which is drawn below in gray."""


def perceived(colors: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert sRGB [..., 3] to OKLab as seen by three kinds of eyes: [..., 3 eyes, 3]."""
    encoded = colors / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.einsum("eij,...j->...ei", _EYES, linear).clip(0, 1)
    return np.asarray(np.cbrt(seen @ _TO_CONES.T) @ _TO_OKLAB.T)


@cache
def palette(count: int) -> NDArray[np.uint8]:
    """Choose colors by farthest-point sampling, with the distance seen by the worst eye.

    Args:
        count: number of colors, at least 1. Above about 700, colors repeat.

    Returns:
        [count, 3] uint8, sRGB; a smaller palette is the start of a larger one.
    """
    steps = np.linspace(0, 255, _LEVELS).round().astype(np.uint8)
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    seen = perceived(candidates)  # [C, eyes, 3]
    lightness, chroma = seen[:, 0, 0], np.linalg.norm(seen[:, 0, 1:], axis=1)
    usable = (_LIGHTNESS[0] <= lightness) & (lightness <= _LIGHTNESS[1]) & (chroma >= _MIN_CHROMA)
    candidates, seen = candidates[usable], seen[usable]
    first = int(seen[:, 0, 2].argmin())  # the bluest, which looks the same to all three kinds of eyes
    chosen = [first]
    nearest = _distances(seen, seen[first])
    while len(chosen) < min(count, len(candidates)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distances(seen, seen[chosen[-1]]))
    return np.asarray(candidates[np.resize(chosen, count)])


def color_clusters(labels: NDArray[np.int64], clusters: int) -> NDArray[np.uint8]:
    """Choose a different color for each cluster of a segment, with large differences between neighbors.

    Args:
        labels: [n, rows, columns], the cluster of each patch of the segment's frames, 0..clusters - 1.
        clusters: K, the number of clusters.

    Returns:
        [K, 3] uint8, sRGB.
    """
    colors = palette(clusters)
    seen = perceived(colors)
    apart = np.linalg.norm(seen[:, None] - seen, axis=-1).min(axis=-1)  # [K, K]
    adjacent = _neighbors(labels, clusters)
    order = np.arange(clusters)  # the color of each cluster
    for _ in range(4 * clusters):
        # Exchange the color of the cluster that is most similar to a neighbor, if both clusters benefit.
        contrast = np.where(adjacent, apart[np.ix_(order, order)], np.inf).min(axis=1)
        worst = int(contrast.argmin())
        of_worst = apart[order][:, order[adjacent[worst]]].min(axis=1, initial=np.inf)
        of_other = np.where(adjacent, apart[order[worst], order], np.inf).min(axis=1)
        after = np.minimum(of_worst, of_other)
        other = int(after.argmax())
        if after[other] <= contrast[worst]:
            break
        order[[worst, other]] = order[[other, worst]]
    return np.asarray(colors[order])


def _neighbors(labels: NDArray[np.int64], clusters: int) -> NDArray[np.bool_]:
    """Return [K, K], whether clusters touch: within a frame, or at the same place in successive frames."""
    touch = np.zeros((clusters, clusters), dtype=bool)
    for axis in range(3):
        ahead = np.moveaxis(labels, axis, 0)
        touch[ahead[:-1], ahead[1:]] = True
    return (touch | touch.T) & ~np.eye(clusters, dtype=bool)


def _distances(seen: NDArray[np.float64], one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [C], the distances of colors [C, eyes, 3] from one [eyes, 3], as seen by the worst eye."""
    return np.asarray(np.linalg.norm(seen - one, axis=-1).min(axis=-1))
