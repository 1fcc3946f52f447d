"""Pairwise distances within token sets, accurate to float32 under any autocast or matmul precision.

Matrix products have shapes independent of the batch size, because a batched product of another size may round
differently.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from centerclip.clustering import traced
from centerclip.clustering.slices import computes_doubles_slowly, inner_products

__all__ = ["METRICS", "measure", "pairwise_distances", "token_lengths"]

METRICS = ("euclidean", "cosine", "manhattan")

_SETS_PER_CALL = {"cpu": 2, "cuda": 8}
"""Token sets per matrix product: one alone would leave a GPU idle and splits badly between two cores."""

_CHUNK_BYTES = {"cpu": 4 * 2**20, "cuda": 64 * 2**20}
"""Bytes of float64 tokens per chunk of sets, so that everything but the products stays in the cache."""

_ROWS_PER_CALL = 96
"""Rows per matrix product. Columns to the left of them are mirrored, which saves 42 % at N = 588. On a CPU,
fewer or more took up to a fifth longer at N = 147 or 588."""

_LONGEST = 1e18
"""Maximum token length whose squared distances fit into float32."""

_LEAST = 2.0**-44
"""Squared distances below this fraction of the squared length are rounding errors: the tokens are equal.

The error of |a|² + |b|² - 2ab is about 1e-15 |a|² in float64; distinct float32 tokens differ by more.
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
            f"tokens are {tokens.dtype} of shape {list(tokens.shape)}, but must be floats of shape [B, N, D] "
            "with N and D at least 1"
        )
    wide = torch.promote_types(tokens.dtype, torch.float32)
    lengths: Tensor = torch.linalg.vector_norm(tokens.detach(), dim=-1, dtype=wide).float()
    if not torch.compiler.is_compiling() and not (lengths < _LONGEST).all():
        raise ValueError(
            "tokens contain values that are NaN, infinite or beyond 1e18: check the model's weights and input"
        )
    return lengths


def pairwise_distances(tokens: Tensor, metric: str = "euclidean") -> Tensor:
    """Measure the distances between all tokens of each set.

    Args:
        tokens: [B, N, D], any float dtype. Not modified; no gradient.
        metric: `euclidean`; `cosine`, from 0 for equal to 2 for opposite directions, with zero tokens at 1/2
            from every direction; or `manhattan`, the sum of absolute differences.

    Returns:
        [B, N, N] float32, symmetric, exactly zero on the diagonal and between equal tokens. The result for
        one set doesn't depend on the others.

    Raises:
        ValueError: an unknown metric, or tokens that `token_lengths` rejects.
    """
    return measure(tokens, token_lengths(tokens), metric)


@torch.no_grad()
def measure(tokens: Tensor, lengths: Tensor, metric: str, *, in_slices: bool | None = None) -> Tensor:
    """`pairwise_distances` of checked tokens with their lengths [B, N].

    Whether products are computed in float64 or in slices follows from the device, unless `in_slices` says.
    """
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}, but must be one of {', '.join(METRICS)}")
    if metric == "cosine":
        tokens = tokens.float() / lengths.where(lengths > 0, torch.inf)[..., None]
    if torch.compiler.is_compiling():
        return traced.distances(tokens, lengths, metric, _LEAST)
    distances = lengths.new_empty(*lengths.shape, lengths.shape[1])
    with torch.autocast(tokens.device.type, enabled=False):
        if metric == "manhattan":
            for own, sets in zip(distances, tokens.float(), strict=True):
                own.copy_(torch.cdist(sets, sets, p=1))
        else:
            if in_slices is None:
                in_slices = computes_doubles_slowly(tokens.device)
            _fill_euclidean(distances, tokens, lengths.argmin(1), in_slices)
    if metric == "cosine":
        distances.square_().div_(2)
    return distances


def _fill_euclidean(distances: Tensor, tokens: Tensor, shortest: Tensor, in_slices: bool) -> None:
    """Write Euclidean distances [B, N, N] of tokens [B, N, D]; `shortest` [B] indexes the shortest token.

    Computed in float64, or in slices with the same accuracy: static image regions make tokens nearly equal
    from frame to frame, and float32 products can't resolve such distances, which occur in nearly all sets of
    real videos.
    """
    # Tokens share a large mean, which would cost digits. Subtracting a token that isn't an outlier works as
    # well as subtracting the mean, and keeps integers exact.
    origins = tokens.take_along_dim(shortest[:, None, None], 1)  # [B, 1, D]
    n, width = tokens.shape[1:]
    step = _SETS_PER_CALL.get(tokens.device.type, 1)
    step *= max(1, _CHUNK_BYTES.get(tokens.device.type, 0) // (8 * step * n * width))
    # Allocated once: fresh memory for every chunk would take longer than filling it.
    count = min(step, len(tokens))
    shifted, products = (
        tokens.new_empty(count, n, size, dtype=torch.float64) for size in (width, min(n, _ROWS_PER_CALL))
    )
    for start in range(0, len(tokens), step):
        sets = slice(start, start + step)
        own = shifted[: len(tokens[sets])]  # the last chunk may be smaller
        own.copy_(tokens[sets]).sub_(origins[sets])
        if in_slices:
            _fill_from_slices(distances[sets], own)
        else:
            _fill_blocks(distances[sets], own, products.flatten())


def _fill_from_slices(distances: Tensor, shifted: Tensor) -> None:
    """Write distances [C, N, N] of float64 tokens [C, N, D], which are overwritten."""
    products = inner_products(shifted)
    squares = products.diagonal(dim1=1, dim2=2).clone()  # [C, N]
    least = (squares * _LEAST)[..., None]
    products.mul_(-2).add_(squares[:, :, None] + squares[:, None])
    # One side's rounding could keep what the other's drops.
    equal = (products < least) | (products < least.mT)
    distances.copy_(products.masked_fill_(equal, 0).sqrt_())


def _fill_blocks(distances: Tensor, shifted: Tensor, products: Tensor) -> None:
    """Write distances [C, N, N] of float64 tokens [C, N, D]; `products` is scratch memory [C * 160 * N]."""
    count, n, _ = shifted.shape
    squares = torch.linalg.vector_norm(shifted, dim=-1).square_()  # [C, N]
    least = squares * _LEAST
    for start in range(0, n, _ROWS_PER_CALL):
        end = min(start + _ROWS_PER_CALL, n)
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
    step = _SETS_PER_CALL.get(block.device.type, 1)
    whole = len(block) - len(block) % step
    for start in range(0, whole, step):
        own = slice(start, start + step)
        block[own].baddbmm_(rows[own], columns[own].mT, alpha=-2)
    if whole < len(block):
        filled, rows, columns = (
            pad(part[whole:], (0, 0, 0, 0, 0, whole + step - len(part))) for part in (block, rows, columns)
        )
        block[whole:] = filled.baddbmm_(rows, columns.mT, alpha=-2)[: len(block) - whole]
