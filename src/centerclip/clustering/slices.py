"""Inner products of float64 accuracy from products in float32, for GPUs that are slow at float64.

Numbers are cut into slices of a few bits. Products of slices are whole numbers that float32 sums exactly, in
any order, with or without TF32. So the result is the same on every device (Ozaki et al., Numerical Algorithms
59(1), 2012).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

__all__ = ["computes_doubles_slowly", "inner_products"]

_BITS = 38
"""Bits that are kept of a token's largest coordinate, and as many places of the others. Tokens are float32,
which has 24; the rest is for coordinates that are smaller than the largest."""

_EXACT_BITS = 24
"""Whole numbers of at most 2^24 are exact in float32."""

_FAST_DOUBLES = frozenset({(6, 0), (7, 0), (8, 0), (9, 0), (10, 0)})
"""Compute capabilities of NVIDIA GPUs for data centers, with float64 at half of float32's rate. Others have a
32nd or a 64th of it."""


def computes_doubles_slowly(device: torch.device) -> bool:
    """Whether products in float64 take so much longer than in float32 that slices are faster."""
    return device.type == "cuda" and not _is_fast(device.index)


@cache
def _is_fast(number: int | None) -> bool:
    return torch.version.cuda is None or torch.cuda.get_device_capability(number) in _FAST_DOUBLES


def inner_products(points: Tensor) -> Tensor:
    """Multiply all pairs of points of each set.

    Each point is first rounded to 38 bits below its largest coordinate; what follows is exact up to the
    rounding of float64. So the products belong to real points: distances computed from them are consistent,
    and equal points have equal products.

    Args:
        points: [C, N, D] float64, D at most 2^20. Overwritten.

    Returns:
        [C, N, N] float64, symmetric.
    """
    digits = (_EXACT_BITS - math.ceil(math.log2(max(points.shape[-1], 2)))) // 2
    exponents = torch.frexp(points.abs().amax(2)).exponent  # [C, N], largest coordinate < 2^exponent
    points.mul_(_powers(-exponents)[..., None])
    slices = list(_slices(points, digits))
    products = points.new_zeros(*points.shape[:2], points.shape[1])
    for right in reversed(range(len(slices))):  # the smallest first
        for left in reversed(range(right + 1)):
            (shift, own), (other_shift, other) = slices[left], slices[right]
            part = torch.bmm(own, other.mT)
            weight = 2.0 ** -(shift + other_shift)
            products.add_(part, alpha=weight)
            if left < right:
                products.add_(part.mT, alpha=weight)
    scale = _powers(exponents)
    return products.mul_(scale[:, :, None]).mul_(scale[:, None])


def _slices(points: Tensor, digits: int) -> Iterator[tuple[int, Tensor]]:
    """Cut numbers between -1 and 1 into whole numbers from -2^digits to 2^digits times 2^-shift.

    Yields:
        shift, and the slice in float32. Rounding to the nearest leaves a rest of at most 1/2, so each further
        slice has one more bit than digits.
    """
    shift, step = 0, digits
    while shift < _BITS:
        points.mul_(2.0**step)
        whole = points.round()
        points.sub_(whole)
        shift, step = shift + step, digits + 1
        yield shift, whole.float()


def _powers(exponents: Tensor) -> Tensor:
    """Compute 2^exponent exactly, float64."""
    return ((exponents.long() + 1023) << 52).view(torch.float64)
