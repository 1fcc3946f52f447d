"""Computes ranks and summaries from similarities, plain and re-scored, in both directions."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from centerclip import metrics
from centerclip.evaluation.results import Rescored
from centerclip.rescoring import Rescoring

__all__ = ["rank_text_to_video", "rank_video_to_text", "rescore"]

Ranked = tuple[metrics.Summary, NDArray[np.float64]]


def rank_text_to_video(similarity: NDArray[Any], owner: NDArray[np.int64], *, seed: int) -> Ranked:
    """Rank videos for each caption. The bootstrap resamples whole videos with all their captions.

    Args:
        similarity: [captions, videos].
        owner: [captions] the video of each caption.
        seed: seed of the bootstrap.
    """
    ranks = metrics.ranks(similarity, owner)
    return metrics.summarize(ranks, groups=owner, seed=seed), ranks


def rank_video_to_text(
    similarity: NDArray[Any], owner: NDArray[np.int64], *, protocol: str, seed: int
) -> Ranked:
    """Rank captions for each video that has any; arguments as for `rank_text_to_video`."""
    ranks = metrics.video_to_text_ranks(similarity, owner, protocol=cast(Any, protocol))
    return metrics.summarize(ranks, seed=seed), ranks


def rescore(
    rescoring: Rescoring,
    similarity: NDArray[np.float32],
    owner: NDArray[np.int64],
    bank: NDArray[np.float32],
    *,
    protocol: str,
    seed: int,
) -> Rescored:
    """Re-score the similarities of each direction, and rank again.

    Args:
        bank: [training captions, videos] similarities, for a re-scoring that uses a bank.
    """
    backward: tuple[metrics.Summary | None, NDArray[np.float64] | None] = (None, None)
    if rescoring.takes_bank:
        forward = rank_text_to_video(rescoring.apply(similarity, bank=bank), owner, seed=seed)
    else:
        forward = rank_text_to_video(rescoring.apply(similarity), owner, seed=seed)
        backward = rank_video_to_text(rescoring.apply(similarity.T).T, owner, protocol=protocol, seed=seed)
    return Rescored(
        name=rescoring.name,
        transductive=rescoring.transductive,
        bank=len(bank) if rescoring.takes_bank else None,
        text_to_video=forward[0],
        video_to_text=backward[0],
        text_to_video_ranks=forward[1],
        video_to_text_ranks=backward[1],
    )
