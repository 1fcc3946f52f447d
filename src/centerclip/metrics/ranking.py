"""The rank of the true item, for any matrix of scores and any ground truth.

Knows scores and which item is relevant to which query; knows no model, no video and no direction:
give it `similarity` for text-to-video and its transpose for video-to-text.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from centerclip.metrics.resampling import slices

__all__ = ["ranks", "video_to_text_ranks"]


def ranks(similarity: ArrayLike, relevant: ArrayLike) -> NDArray[np.float64]:
    """Rank each query's true item among all items, 1 being best.

    Of several true items the best-ranked counts. Tied items are taken to stand in random order, and
    the rank is its expectation: with `better` items above, and `tied` items of which `r` are true,
    the first true one stands at `better + (tied + 1) / (r + 1)`, the mean of the smallest of r
    places drawn from `tied` without replacement; for one true item, the mid-rank.
    A NaN score ranks below every number; a query whose true items are all NaN gets the worst rank, G.

    Args:
        similarity: [Q, G] scores of queries and items of the gallery, higher is closer.
        relevant: [Q] int, the position of the true item; or [Q, G] bool, several true items.

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
        protocol: `caption`: the rank of the video's best caption among all captions. `group`: a
            video's captions are one item, scored by their maximum, ranked among the videos' groups;
            easier, since there are fewer items to be wrong about.

    Returns:
        [videos with a caption] float64, in the order of the videos.

    Raises:
        ValueError: another protocol, or shapes and positions that don't fit.

    Source: `group` is how CLIP4Clip (arXiv 2104.08860) reports MSVD.
    """
    scores, owner = np.asarray(similarity), np.asarray(video_of_caption)
    if owner.ndim != 1:
        raise ValueError(f"video_of_caption has {owner.ndim} dimensions; it takes one video a caption")
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
    """`ranks` of checked input. Every comparison with NaN is false, which puts NaN items last."""
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
            f"relevant is {true.dtype} {list(true.shape)} beside scores {list(scores.shape)}; it must be "
            "[queries] integers or [queries, gallery] booleans"
        )
