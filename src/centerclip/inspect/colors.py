"""Colors for clusters: as many as there are, far apart for every kind of eye, farthest between neighbors.

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
"""On the dark ground of the pictures, darker colors are lost; lighter ones look like the white outlines."""
_LEAST_CHROMA = 0.07
"""Grayer colors look like the frame itself, which shows through in gray."""


def perceived(colors: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[..., 3] sRGB as three kinds of eye see it, in OKLab: [..., 3 eyes, 3]."""
    encoded = colors / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.einsum("eij,...j->...ei", _EYES, linear).clip(0, 1)
    found: NDArray[np.float64] = np.cbrt(seen @ _TO_CONES.T) @ _TO_OKLAB.T
    return found


@cache
def palette(count: int) -> NDArray[np.uint8]:
    """Choose colors by farthest points: each next one is the farthest from all before, for the worst eye.

    Args:
        count: how many, at least 1. More than there are candidates (about 700) begin anew.

    Returns:
        [count, 3] uint8, sRGB; those of a smaller count are the first of a larger one.
    """
    steps = np.linspace(0, 255, _LEVELS).round().astype(np.uint8)
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    seen = perceived(candidates)  # [C, eyes, 3]
    lightness, chroma = seen[:, 0, 0], np.linalg.norm(seen[:, 0, 1:], axis=1)
    usable = (_LIGHTNESS[0] <= lightness) & (lightness <= _LIGHTNESS[1]) & (chroma >= _LEAST_CHROMA)
    candidates, seen = candidates[usable], seen[usable]
    first = int(seen[:, 0, 2].argmin())  # the bluest, which all three kinds of eye see alike
    chosen = [first]
    nearest = _distances(seen, seen[first])
    while len(chosen) < min(count, len(candidates)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distances(seen, seen[chosen[-1]]))
    colors: NDArray[np.uint8] = candidates[np.resize(chosen, count)]
    return colors


def color_clusters(labels: NDArray[np.int64], clusters: int) -> NDArray[np.uint8]:
    """Give each cluster of a segment a color of its own, as unlike those beside it as can be had.

    Args:
        labels: [n, rows, columns] the cluster of each patch of the segment's frames, in 0..clusters - 1.
        clusters: K.

    Returns:
        [K, 3] uint8, sRGB.
    """
    colors = palette(clusters)
    seen = perceived(colors)
    apart = np.linalg.norm(seen[:, None] - seen, axis=-1).min(axis=-1)  # [K, K]
    beside = _neighbors(labels, clusters)
    given = np.arange(clusters)  # the color of each cluster
    for _ in range(4 * clusters):
        # The cluster most like a neighbor changes colors with another, if that helps both.
        rooms = np.where(beside, apart[np.ix_(given, given)], np.inf).min(axis=1)
        worst = int(rooms.argmin())
        room_here = apart[given][:, given[beside[worst]]].min(axis=1, initial=np.inf)
        room_there = np.where(beside, apart[given[worst], given], np.inf).min(axis=1)
        gained = np.minimum(room_here, room_there)
        other = int(gained.argmax())
        if gained[other] <= rooms[worst]:
            break
        given[[worst, other]] = given[[other, worst]]
    chosen: NDArray[np.uint8] = colors[given]
    return chosen


def _neighbors(labels: NDArray[np.int64], clusters: int) -> NDArray[np.bool_]:
    """[K, K] which clusters touch: side by side in a frame, or at one place of two successive frames."""
    touch = np.zeros((clusters, clusters), dtype=bool)
    for axis in range(3):
        ahead = np.moveaxis(labels, axis, 0)
        touch[ahead[:-1], ahead[1:]] = True
    return (touch | touch.T) & ~np.eye(clusters, dtype=bool)


def _distances(seen: NDArray[np.float64], one: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far colors [C, eyes, 3] are from one [eyes, 3], for the eye that tells them least: [C]."""
    distances: NDArray[np.float64] = np.linalg.norm(seen - one, axis=-1).min(axis=-1)
    return distances
