"""Token sets of every kind that clustering must handle, and the devices to test."""

import os
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from centerclip.clustering import Tokens
from centerclip.clustering.tokens import join

_GPU_MARKS = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not torch.cuda.is_available() and os.environ.get("REQUIRE_CUDA") != "1", reason="no GPU"
    ),
]
DEVICES = ["cpu", pytest.param("cuda", marks=_GPU_MARKS)]


def needs_gpu(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that runs on a GPU only."""
    for mark in _GPU_MARKS:
        test = mark(test)
    return test


KINDS = ("random", "clustered", "tight", "duplicated", "grid", "few values", "equal", "zero", "outlier")


def token_sets(kind: str, shape: tuple[int, int, int], seed: int = 0) -> Tensor:
    """[B, N, D] float32 tokens of one of `KINDS`.

    `clustered` and `tight` scatter around N / 5 centers by about 0.1 and 1e-4. `grid` has small integers, for
    exact distances; `few values` has even more ties.
    """
    generator = torch.Generator().manual_seed(seed)
    batch, n, width = shape
    noise = torch.randn(shape, generator=generator)
    if kind in ("clustered", "tight"):
        centers = torch.randn(batch, -(-n // 5), width, generator=generator)
        which = torch.randint(centers.shape[1], (batch, n), generator=generator)
        around = centers.gather(1, which[..., None].expand(shape))
        return 3 + around + (0.1 if kind == "clustered" else 1e-4) * noise
    if kind == "duplicated":
        which = torch.randint(-(-n // 3), (batch, n, 1), generator=generator)
        return noise.gather(1, which.expand(shape))
    if kind in ("grid", "few values"):
        high = 5 if kind == "grid" else 2
        return torch.randint(-1, high, shape, generator=generator).float()
    if kind == "equal":
        return noise[:, :1].expand(shape).clone()
    if kind == "zero":
        return torch.zeros(shape)
    if kind == "outlier":
        noise[:, n // 2] *= 300
    return noise


def as_tokens(patches: Tensor, class_tokens: Tensor | None = None, sizes: Tensor | None = None) -> Tokens:
    """Make segments [G, n, P, D] whose frames are single rows of patches, with class tokens [G, n, D]."""
    frames, columns = (torch.arange(count, dtype=torch.float32) for count in patches.shape[1:3])
    places = torch.cartesian_prod(frames, torch.zeros(1), columns).view(*patches.shape[1:3], 3)
    positions = places.to(patches.device).expand(len(patches), -1, -1, -1)
    return Tokens(join(class_tokens, patches), positions, sizes, class_tokens is not None)


def kept_of(reduced: Tokens, patches: int) -> Tensor:
    """Find which tokens of `as_tokens` were kept, [G, K]."""
    return (reduced.positions[..., 0] * patches + reduced.positions[..., 2]).long()
