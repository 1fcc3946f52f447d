"""Pairwise distances of token sets, with float32 accuracy whatever precision surrounds them.

A set is measured by calls whose shapes don't depend on how many sets stand beside it, because a
batched product of another size may round differently. Knows no clustering and no token order.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["METRICS", "measure", "pairwise_distances", "token_lengths"]

METRICS = ("euclidean", "cosine", "manhattan")

_SETS_A_CALL = {"cpu": 1, "cuda": 8}
"""Sets that one matrix product takes; a GPU would be idle with one."""

_ROWS_A_CALL = 160
"""Rows that one matrix product takes; what lies left of them is mirrored, which saves 30 % at N = 588."""

_LONGEST = 1e18
"""Tokens this long have squared distances, and sums on the way to them, that float32 can hold."""

_LEAST = {torch.float32: 2.0**-8, torch.float64: 2.0**-44}
"""Least share of its squared length that a pair must lie apart for products to tell how far.

|a|² + |b|² - 2ab errs by some 3e-7 |a|² in float32, by 1e-4 of the squared distance at that share. In
float64 the share is below what float32 tokens can differ by, so a nearer pair is equal.
"""


def token_lengths(tokens: Tensor) -> Tensor:
    """Check sets of tokens and measure the L2 norm of each token.

    Args:
        tokens: [B, N, D], any float dtype.

    Returns:
        [B, N] float32.

    Raises:
        ValueError: tokens not 3-D floats, without rows or columns, not finite, or longer than 1e18.
    """
    if tokens.ndim != 3 or not tokens.is_floating_point() or 0 in tokens.shape[1:]:
        raise ValueError(
            f"tokens are {tokens.dtype} of shape {list(tokens.shape)}, but must be floats of shape "
            "[B, N, D], N and D at least 1"
        )
    wide = torch.promote_types(tokens.dtype, torch.float32)
    lengths: Tensor = torch.linalg.vector_norm(tokens.detach(), dim=-1, dtype=wide).float()
    if not (lengths < _LONGEST).all():
        raise ValueError(
            "tokens hold values that are NaN, infinite or beyond 1e18, so distances can't be measured: check "
            "the model's weights and its input"
        )
    return lengths


def pairwise_distances(tokens: Tensor, metric: str = "euclidean") -> Tensor:
    """Measure how far the tokens of each set lie from each other.

    Args:
        tokens: [B, N, D], any float dtype. Not modified; no gradient.
        metric: `euclidean`; `cosine`, from 0 for equal directions to 2 for opposite ones, where a zero
            token is 1/2 from every direction; or `manhattan`, the sum of absolute differences.

    Returns:
        [B, N, N] float32, symmetric, exactly zero on the diagonal and between equal tokens. The
        result for a set doesn't depend on the other sets.

    Raises:
        ValueError: an unknown metric, or tokens that `token_lengths` refuses.
    """
    return measure(tokens, token_lengths(tokens), metric)


@torch.no_grad()
def measure(tokens: Tensor, lengths: Tensor, metric: str) -> Tensor:
    """`pairwise_distances` of tokens that were checked, given their lengths [B, N]."""
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}, but must be one of {', '.join(METRICS)}")
    step = _SETS_A_CALL.get(tokens.device.type, 1)
    batch, missing = len(tokens), -len(tokens) % step
    if missing:
        tokens, lengths = pad(tokens, (0, 0, 0, 0, 0, missing)), pad(lengths, (0, 0, 0, missing))
    if metric == "cosine":
        tokens = tokens.float() / lengths.where(lengths > 0, torch.inf)[..., None]
    distances = lengths.new_empty(*lengths.shape, lengths.shape[1])
    shortest = lengths.argmin(1)
    with torch.autocast(tokens.device.type, enabled=False):
        for start in range(0, len(tokens), step):
            own = slice(start, start + step)
            sets = tokens[own].float()
            if metric == "manhattan":
                distances[own] = torch.cdist(sets, sets, p=1)
            else:
                _fill_euclidean(distances[own], sets, shortest[own])
    if metric == "cosine":
        distances.square_().div_(2)
    return distances[:batch]


def _fill_euclidean(distances: Tensor, sets: Tensor, shortest: Tensor) -> None:
    """Write the distances [C, N, N] of float32 sets [C, N, D], whose shortest tokens are given [C]."""
    if not _float32_is_whole(sets.device):
        _fill_by_products(distances, sets.double(), shortest)
        return
    near = _fill_by_products(distances, sets, shortest)
    if near.any():
        exact = torch.empty_like(distances)
        _fill_by_products(exact, sets.double(), shortest)
        distances.copy_(exact.where(near[:, None, None], distances))


def _float32_is_whole(device: torch.device) -> bool:
    """Whether float32 products are float32; the user may have allowed fewer bits for speed."""
    backend = torch.backends.cuda if device.type == "cuda" else torch.backends.mkldnn
    return backend.matmul.fp32_precision in ("none", "ieee")


def _fill_by_products(distances: Tensor, sets: Tensor, shortest: Tensor) -> Tensor:
    """Write Euclidean distances by matrix products, in blocks of rows, from the diagonal to the right.

    Args:
        distances: [C, N, N] float32, overwritten.
        sets: [C, N, D] float32 or float64.
        shortest: [C] index of the shortest token.

    Returns:
        Whether a set has a pair too near for the precision [C], whose distance is then NaN or wrong in
        float32 and 0 in float64.
    """
    count, n, _ = sets.shape
    # Tokens share a large mean, which would cost digits. As good as taking away the mean is to take away one
    # token that is no outlier, and integers stay integers.
    shifted = sets - sets.take_along_dim(shortest[:, None, None], 1)
    squares = torch.linalg.vecdot(shifted, shifted)  # [C, N], of integers exact unlike the norm squared
    least = squares * _LEAST[sets.dtype]
    near = torch.zeros(count, dtype=torch.bool, device=sets.device)
    for start in range(0, n, _ROWS_A_CALL):
        end = min(start + _ROWS_A_CALL, n)
        block = squares[:, start:end, None] + squares[:, None, start:]
        block.baddbmm_(shifted[:, start:end], shifted[:, start:].mT, alpha=-2)  # [C, rows, N - start]
        block.diagonal(dim1=1, dim2=2).fill_(torch.inf)
        near |= (block.amin(2) < least[:, start:end]).any(1)
        if block.dtype == torch.float64:
            block.masked_fill_(block < least[:, start:end, None], 0)
        block.sqrt_()
        upper = block[:, :, : end - start].triu(1)
        distances[:, start:end, start:end] = upper + upper.mT
        if end < n:
            right = block[:, :, end - start :]
            distances[:, start:end, end:] = right
            distances[:, end:, start:end] = right.mT
    return near
