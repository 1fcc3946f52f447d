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

_SETS_A_CALL = {"cpu": 2, "cuda": 8}
"""Sets that one matrix product takes: a GPU would be idle with one, and two cores share two better."""

_TOGETHER = {"cpu": 4 * 2**20, "cuda": 64 * 2**20}
"""Bytes of tokens in float64 that all else is done with at a time: what stays in a processor's cache."""

_ROWS_A_CALL = 160
"""Rows that one matrix product takes; what lies left of them is mirrored, which saves 37 % at N = 588."""

_LONGEST = 1e18
"""Tokens this long have squared distances that float32 can hold."""

_LEAST = 2.0**-44
"""Share of its squared length below which a pair's squared distance is rounding, so that the two are equal.

|a|² + |b|² - 2ab errs by some 1e-15 |a|² in float64, and float32 tokens that differ do so by more.
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
    if metric == "cosine":
        tokens = tokens.float() / lengths.where(lengths > 0, torch.inf)[..., None]
    distances = lengths.new_empty(*lengths.shape, lengths.shape[1])
    with torch.autocast(tokens.device.type, enabled=False):
        if metric == "manhattan":
            for own, sets in zip(distances, tokens.float(), strict=True):
                own.copy_(torch.cdist(sets, sets, p=1))
        else:
            _fill_euclidean(distances, tokens, lengths.argmin(1))
    if metric == "cosine":
        distances.square_().div_(2)
    return distances


def _fill_euclidean(distances: Tensor, tokens: Tensor, shortest: Tensor) -> None:
    """Write Euclidean distances by matrix products, in blocks of rows, from the diagonal to the right.

    In float64, because products in float32 can't tell how far tokens lie apart that a still picture
    leaves nearly equal from frame to frame, and such pairs are in nearly all sets of real videos.

    Args:
        distances: [B, N, N] float32, overwritten.
        tokens: [B, N, D].
        shortest: [B] index of each set's shortest token.
    """
    # Tokens share a large mean, which would cost digits. As good as taking away the mean is to take away one
    # token that is no outlier, and integers stay integers.
    origins = tokens.take_along_dim(shortest[:, None, None], 1)  # [B, 1, D]
    n, width = tokens.shape[1:]
    step = _SETS_A_CALL.get(tokens.device.type, 1)
    step *= max(1, _TOGETHER.get(tokens.device.type, 0) // (8 * step * n * width))
    # Made once: new memory for each few sets would take longer than what is written there.
    count = min(step, len(tokens))
    shifted, products = (
        tokens.new_empty(count, n, size, dtype=torch.float64) for size in (width, min(n, _ROWS_A_CALL))
    )
    for start in range(0, len(tokens), step):
        sets = slice(start, start + step)
        own = shifted[: len(tokens[sets])]  # fewer at the end
        own.copy_(tokens[sets]).sub_(origins[sets])
        _fill_blocks(distances[sets], own, products.flatten())


def _fill_blocks(distances: Tensor, shifted: Tensor, products: Tensor) -> None:
    """Distances [C, N, N] from tokens [C, N, D] float64, by way of memory for C * 160 * N products."""
    count, n, _ = shifted.shape
    squares = torch.linalg.vector_norm(shifted, dim=-1).square_()  # [C, N]
    least = squares * _LEAST
    for start in range(0, n, _ROWS_A_CALL):
        end = min(start + _ROWS_A_CALL, n)
        rows, columns = end - start, n - start
        block = products[: count * rows * columns].view(count, rows, columns)
        torch.add(squares[:, start:end, None], squares[:, None, start:], out=block)
        _subtract_products(block, shifted[:, start:end], shifted[:, start:])
        block.masked_fill_(block < least[:, start:end, None], 0).sqrt_()
        upper = block[:, :, :rows].triu(1)
        distances[:, start:end, start:end] = upper + upper.mT
        if end < n:
            right = block[:, :, rows:]
            distances[:, start:end, end:] = right
            distances[:, end:, start:end] = right.mT


def _subtract_products(block: Tensor, rows: Tensor, columns: Tensor) -> None:
    """Subtract twice the products of rows [C, R, D] and columns [C, M, D] from a block [C, R, M]."""
    step = _SETS_A_CALL.get(block.device.type, 1)
    whole = len(block) - len(block) % step
    for start in range(0, whole, step):
        own = slice(start, start + step)
        block[own].baddbmm_(rows[own], columns[own].mT, alpha=-2)
    if whole < len(block):
        filled, rows, columns = (
            pad(part[whole:], (0, 0, 0, 0, 0, whole + step - len(part))) for part in (block, rows, columns)
        )
        block[whole:] = filled.baddbmm_(rows, columns.mT, alpha=-2)[: len(block) - whole]
