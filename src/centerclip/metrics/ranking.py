"""Ranks of true items, for any matrix of scores and any ground truth."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from centerclip.metrics.resampling import slices

__all__ = ["ranks", "video_to_text_ranks"]


def ranks(similarity: ArrayLike, relevant: ArrayLike) -> NDArray[np.float64]:
    """Rank each query's true item among all items; 1 is best.

    If a query has several true items, the best rank counts. Ties are assumed to be in random order, and the
    expected rank is returned: with `better` items above and `tied` items, r of them true, it is
    `better + (tied + 1) / (r + 1)`, where the fraction is the mean of the smallest of r places drawn from
    `tied` without replacement. For one true item this is the mid-rank.
    NaN scores rank below all numbers. If all true items of a query are NaN, its rank is the worst, G.

    Args:
        similarity: [Q, G] scores of queries and gallery items, higher is closer.
        relevant: [Q] int, positions of the true items; or [Q, G] bool, for several true items per query.

    Returns:
        [Q] float64, one expected rank per query, 1..G.

    Raises:
        ValueError: shapes that don't fit, a position outside the gallery, a query without a true item.
    """
    scores = np.asarray(similarity)
    true = np.asarray(relevant)
    _check(scores, true)
    result = np.empty(len(scores))
    for rows in slices(len(scores), scores.shape[1]):
        result[rows] = _ranks(scores[rows], true[rows])
    return result


def video_to_text_ranks(
    similarity: ArrayLike, video_of_caption: ArrayLike, *, protocol: Literal["caption", "group"] = "caption"
) -> NDArray[np.float64]:
    """Rank captions for each video that has any.

    Args:
        similarity: [captions, videos] scores, the matrix of text-to-video.
        video_of_caption: [captions] int, the video each caption belongs to.
        protocol: `caption`: the rank of the video's best caption among all captions. `group`: the captions
            of a video form one item, scored by their maximum and ranked among the items of all videos. This
            is easier, because there are fewer items.

    Returns:
        [videos with a caption] float64, in the order of the videos.

    Raises:
        ValueError: another protocol, or shapes and positions that don't fit.

    Source: `group` is how CLIP4Clip (arXiv 2104.08860) reports MSVD.
    """
    scores, owner = np.asarray(similarity), np.asarray(video_of_caption)
    if owner.ndim != 1:
        raise ValueError(f"video_of_caption has {owner.ndim} dimensions; it must have one video per caption")
    _check(scores, owner)
    videos = np.unique(owner)
    if protocol == "caption":
        return ranks(scores.T[videos], videos[:, None] == owner)
    if protocol == "group":
        order = np.argsort(owner, kind="stable")
        starts = np.searchsorted(owner[order], videos)
        groups = np.fmax.reduceat(scores[order], starts, axis=0)  # [groups, videos]
        return ranks(groups.T[videos], np.arange(len(videos)))
    raise ValueError(f"protocol is {protocol!r}; it must be 'caption' or 'group'")


def _ranks(scores: NDArray[Any], true: NDArray[Any]) -> NDArray[np.float64]:
    """Compute `ranks` of checked input. Comparisons with NaN are false, so NaN items come last."""
    if true.ndim == 1:
        best = scores[np.arange(len(scores)), true.astype(np.intp)]
        tied_true = np.ones(len(scores))
    else:
        best = np.fmax.reduce(np.where(true, scores, np.nan), axis=1)
        tied_true = ((scores == best[:, None]) & true).sum(axis=1)
    better = (scores > best[:, None]).sum(axis=1)
    tied = (scores == best[:, None]).sum(axis=1)
    expected: NDArray[np.float64] = better + (tied + 1) / (tied_true + 1)
    return np.where(np.isnan(best), float(scores.shape[1]), expected)


def _check(scores: NDArray[Any], true: NDArray[Any]) -> None:
    if scores.ndim != 2 or not scores.size or scores.dtype.kind not in "fiu":
        raise ValueError(
            f"similarity is {scores.dtype} {list(scores.shape)}; it must be a "
            "[queries, gallery] matrix of numbers"
        )
    if true.ndim == 2 and true.dtype == np.bool_ and true.shape == scores.shape:
        if not true.any(axis=1).all():
            raise ValueError(f"query {int(np.argmin(true.any(axis=1)))} has no relevant item; each needs one")
    elif true.ndim == 1 and true.dtype.kind in "iu" and len(true) == len(scores):
        if true.min() < 0 or true.max() >= scores.shape[1]:
            raise ValueError(
                f"relevant items {true.min()}..{true.max()} of a gallery of {scores.shape[1]}; "
                f"they must lie in 0..{scores.shape[1] - 1}"
            )
    else:
        raise ValueError(
            f"relevant is {true.dtype} {list(true.shape)}, but scores are {list(scores.shape)}; it must be "
            "[queries] integers or [queries, gallery] booleans"
        )
