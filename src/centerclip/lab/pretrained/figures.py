"""How far two sets of embeddings of the same halves of clips agree; knows no model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from centerclip import metrics
from centerclip.metrics import Estimate

__all__ = ["Agreement", "compare_embeddings"]

_Vectors = NDArray[np.float32]


class Agreement(TypedDict):
    """The figures of `centerclip.lab.pretrained.Row` that embeddings decide."""

    cosine: Estimate
    gain: Estimate | None
    top_1: Estimate | None
    neighbor: Estimate
    halves: Estimate


def compare_embeddings(
    vectors: _Vectors,
    *,
    reference: _Vectors,
    rival: _Vectors | None,
    clips: NDArray[np.int64],
    classify: Callable[[_Vectors], NDArray[np.int64]] | None = None,
) -> Agreement:
    """Compare embeddings with those of a reference, with 95 % bootstrap intervals over clips.

    Args:
        vectors, reference, rival: [N, E], unit length; each is compared with `vectors`.
        clips: [N] the clip of each; two halves per clip.
        classify: returns the classes [N] of embeddings.
    """

    def mean(values: NDArray[Any]) -> Estimate:
        return metrics.mean(values, groups=clips)

    cosines = _cosines(vectors, reference)
    nearest = _nearest_of_other_clips(vectors, clips) == _nearest_of_other_clips(reference, clips)
    return {
        "cosine": mean(cosines),
        "gain": None if rival is None else mean(cosines - _cosines(rival, reference)),
        "top_1": None if classify is None else mean(100.0 * (classify(vectors) == classify(reference))),
        "neighbor": mean(100.0 * nearest),
        "halves": mean(100.0 * _finds_its_other_half(vectors, clips)),
    }


def _cosines(left: _Vectors, right: _Vectors) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ne,ne->n", left, right, dtype=np.float64))


def _nearest_of_other_clips(vectors: _Vectors, clips: NDArray[np.int64]) -> NDArray[np.int64]:
    similarity = vectors @ vectors.T
    similarity[clips[:, None] == clips] = -np.inf
    return np.asarray(similarity.argmax(1))


def _finds_its_other_half(vectors: _Vectors, clips: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the nearest of all other halves [N] belongs to the same clip."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    return np.asarray(clips[similarity.argmax(1)] == clips)
