"""Re-scoring: corrects similarities for "hubs", items that are close to every query.

Transductive methods use all test queries; don't compare their scores with the others. A search engine, which
answers one query at a time, can't use them.

All functions accept a [queries, gallery] matrix and return float64 of the same shape. Only the order within a
row matters. NaN scores stay NaN and don't affect the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["RESCORINGS", "Rescoring", "csls", "dual_softmax", "inverted_softmax", "qb_norm"]

Scores = NDArray[np.float64]


def dual_softmax(similarity: ArrayLike, *, beta: float = 100.0) -> Scores:
    """Weight each score by its item's softmax over queries: `S * softmax(beta S, over queries) * queries`.

    So a hub has a small weight for every query. Weights below e^-745 of the largest are zero in float64, and
    their scores tie at zero.

    Args:
        similarity: [Q, G] cosines, finite or NaN.
        beta: inverse temperature, above 0; 100 is CLIP's logit scale.

    Raises:
        ValueError: not a matrix, infinite scores, or beta not above 0.

    Source: CAMoE's dual softmax at test time (DSL), arXiv 2109.04290.
    """
    scores = _matrix(similarity, "similarity")
    scaled = _inverse_temperature(beta) * scores
    preference = np.exp(scaled - _log_sum_exp(scaled))
    return np.asarray(scores * preference * len(scores))


def inverted_softmax(similarity: ArrayLike, *, bank: ArrayLike | None = None, beta: float = 20.0) -> Scores:
    """Normalize each gallery item's scores over queries rather than over the gallery.

    Returns the logarithm, `beta S - log sum over queries of exp(beta S)`, which has the same order and
    neither over- nor underflows.

    Args:
        similarity: [Q, G] cosines, finite or NaN.
        bank: [bank queries, G] scores of other queries, such as training captions, to normalize over. None
            normalizes over the test queries, which is transductive.
        beta: inverse temperature, above 0.

    Raises:
        ValueError: as `dual_softmax`, or a bank for another gallery.

    Source: Smith et al., arXiv 1702.03859.
    """
    scores = _matrix(similarity, "similarity")
    normalizers = scores if bank is None else _bank(bank, scores)
    scale = _inverse_temperature(beta)
    return scale * scores - _log_sum_exp(scale * normalizers)


def qb_norm(similarity: ArrayLike, *, bank: ArrayLike, beta: float = 20.0) -> Scores:
    """Normalize over a query bank, but only the queries with a hub as their first hit.

    A hub is an item that is first for some query of the bank. Other rows are unchanged (dynamic inverted
    softmax), so a bank of unrelated captions does no harm.

    Args:
        similarity: [Q, G] cosines, finite or NaN.
        bank: [bank queries, G] scores of training captions; test queries must not be among them.
        beta: inverse temperature, above 0.

    Raises:
        ValueError: as `inverted_softmax`.

    Source: Bogolin et al., Cross Modal Retrieval with Querybank Normalisation, arXiv 2112.12777.
    """
    scores = _matrix(similarity, "similarity")
    hubs = np.unique(_first(_bank(bank, scores)))
    activated = np.isin(_first(scores), hubs)
    return np.where(activated[:, None], inverted_softmax(scores, bank=bank, beta=beta), scores)


def csls(similarity: ArrayLike, *, neighbors: int = 10) -> Scores:
    """Subtract the mean score of each side's neighbors: `2 S - r(query) - r(item)`.

    r is the mean of the `neighbors` highest scores, or of all if there are fewer.

    Args:
        similarity: [Q, G] cosines, finite or NaN.
        neighbors: at least 1.

    Raises:
        ValueError: not a matrix, infinite scores, or neighbors below 1.

    Source: Conneau et al., cross-domain similarity local scaling, arXiv 1710.04087.
    """
    if neighbors < 1:
        raise ValueError(f"neighbors is {neighbors}; it must be at least 1")
    scores = _matrix(similarity, "similarity")
    of_items = _mean_of_highest(scores, neighbors)  # [G]
    of_queries = _mean_of_highest(scores.T, neighbors)[:, None]  # [Q, 1]
    return np.asarray(2 * scores - of_queries - of_items)


@dataclass(frozen=True, slots=True)
class Rescoring:
    """A re-scoring method and its properties."""

    name: str
    transductive: bool
    """Uses all test queries at once."""
    takes_bank: bool
    """Needs scores of training captions, `[bank queries, gallery]`, as `bank`."""
    apply: Callable[..., Scores]
    """Called with the matrix [Q, G] and keyword options, including `bank` if `takes_bank`."""


RESCORINGS = {
    rescoring.name: rescoring
    for rescoring in (
        Rescoring("dsl", transductive=True, takes_bank=False, apply=dual_softmax),
        Rescoring("inverted-softmax", transductive=True, takes_bank=False, apply=inverted_softmax),
        Rescoring("qb-norm", transductive=False, takes_bank=True, apply=qb_norm),
        Rescoring("csls", transductive=True, takes_bank=False, apply=csls),
    )
}
"""All methods by name."""


def _matrix(similarity: ArrayLike, name: str) -> Scores:
    scores = np.asarray(similarity, dtype=np.float64)
    if scores.ndim != 2 or not scores.size:
        raise ValueError(f"{name} has shape {list(scores.shape)}; it must be [queries, gallery], not empty")
    if np.isinf(scores).any():
        raise ValueError(f"{name} contains an infinite score; scores must be finite, or NaN for unknown")
    return scores


def _bank(bank: ArrayLike, scores: Scores) -> Scores:
    found = _matrix(bank, "bank")
    if found.shape[1] != scores.shape[1]:
        raise ValueError(
            f"the bank scores {found.shape[1]} items and the queries {scores.shape[1]}; "
            "score the bank's captions against the same gallery"
        )
    return found


def _inverse_temperature(beta: float) -> float:
    if not 0 < beta < np.inf:
        raise ValueError(f"beta is {beta}; it must be a number above 0")
    return float(beta)


def _log_sum_exp(scaled: Scores) -> Scores:
    """Return [G], the log-sum-exp over queries without NaN; NaN for a column that is all NaN."""
    total = np.logaddexp.reduce(np.where(np.isnan(scaled), -np.inf, scaled), axis=0)
    return np.where(np.isneginf(total), np.nan, total)


def _first(scores: Scores) -> NDArray[np.intp]:
    """Return [rows], the item with the highest score; -1 for a row that is all NaN."""
    known = ~np.isnan(scores)
    return np.where(known.any(axis=1), np.argmax(np.where(known, scores, -np.inf), axis=1), -1)


def _mean_of_highest(scores: Scores, count: int) -> Scores:
    """Return [columns], the mean of each column's highest scores; 0 for a column that is all NaN."""
    known = ~np.isnan(scores)
    highest = -np.sort(-np.where(known, scores, -np.inf), axis=0)[:count]
    finite = np.isfinite(highest)
    return np.asarray(np.where(finite, highest, 0.0).sum(axis=0) / np.maximum(finite.sum(axis=0), 1))
