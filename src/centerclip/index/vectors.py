"""Arithmetic with vectors in memory: unit length, dot products, and the highest scores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from centerclip.errors import QueryError

__all__ = ["descending", "products", "unit_vectors"]

_PIECE = 25_000
"""Vectors that one thread multiplies with a single query."""


def unit_vectors(vectors: ArrayLike, embed_size: int) -> NDArray[np.float32]:
    """Scale query vectors, [Q, E] or [E], to [Q, E] float32 of unit length.

    Raises:
        QueryError: a vector is zero, not finite or not of size E.
    """
    wide = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
    if wide.ndim != 2 or wide.shape[1] != embed_size:
        raise QueryError(
            f"query vectors of shape {wide.shape}, but the index holds vectors of size {embed_size}: "
            "encode the query with the index's own model"
        )
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise QueryError("the query's vector is zero or not finite, so nothing is similar: change the query")
    units: NDArray[np.float32] = (wide / lengths).astype(np.float32)
    return units


def descending(scores: NDArray[np.float32], wanted: int) -> NDArray[np.int64]:
    """Return the places of the `wanted` highest scores, highest first; equal ones in their own order."""
    if wanted < len(scores):
        places = np.sort(np.argpartition(-scores, wanted - 1)[:wanted])
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")]


def products(vectors: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the dot products [Q, N] of vectors [Q, E] with the rows of a matrix [N, E]."""
    if len(vectors) > 1:
        products: NDArray[np.float32] = vectors @ matrix.T
        return products
    # Not with BLAS, which is no faster for one vector, and whose threads then spin for 20 ms each and keep
    # cores from the store.
    scores = np.empty((1, len(matrix)), dtype=np.float32)

    def multiply(start: int) -> None:
        rows = slice(start, start + _PIECE)
        np.einsum("ne,e->n", matrix[rows], vectors[0], out=scores[0, rows])

    starts = range(0, len(matrix), _PIECE)
    if len(starts) == 1:
        multiply(0)
    else:
        with ThreadPoolExecutor(len(starts)) as pool:
            list(pool.map(multiply, starts))
    return scores
