"""Hits: moments that answer a query, with rank, strength and reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from centerclip.index import Matches
from centerclip.search.moments import Moment, is_related
from centerclip.search.spoken import Said, SaidMoment

__all__ = ["KNOWN_BACKGROUND", "Hit", "Said", "said_hit", "seen_hits"]

KNOWN_BACKGROUND = 20
"""Number of windows from which their median score is a reliable background."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A moment that answers a query.

    `start` and `end` are its seconds in the file at `path`; `window_start` and `window_end` those of its
    window (if joined from several, the best one's), and `peak` is the middle of its best segment. `score` is
    the cosine of the query with that segment, useful only for ranking; of a query of spoken words alone,
    their BM25. `strength` is the score's position between the background (0), which is what an unrelated
    window scores, and the best hit (1); of words that are said, their BM25 as a share of the best one's.
    `rank` counts from 1. `reasons` says why it was found, and `said` has the cues with the words.
    `recorded_seconds` is when the video was recorded, as far as known, since the epoch.
    """

    path: Path
    start: float
    end: float
    score: float
    rank: int
    strength: float
    video_id: str
    window_start: float
    window_end: float
    peak: float
    duration_seconds: float
    recorded_seconds: float = 0.0
    reasons: tuple[Literal["seen", "said"], ...] = ("seen",)
    said: tuple[Said, ...] = ()


def seen_hits(moments: Sequence[Moment], matches: Matches, tail: bool) -> list[Hit]:
    """Return ranked hits, without the tail unless requested."""
    if not moments:
        return []
    best = moments[0].score
    span = best - matches.background
    known = matches.sampled >= KNOWN_BACKGROUND and span > 0
    hits = []
    for rank, moment in enumerate(moments, start=1):
        found = moment.window
        share = (moment.score - matches.background) / span if span > 0 else float(moment.score >= best)
        if known and not tail and not is_related(moment.score, best, matches.background):
            break
        hit = Hit(
            path=found.path,
            start=moment.start,
            end=moment.end,
            score=moment.score,
            rank=rank,
            strength=min(max(share, 0.0), 1.0),
            video_id=found.video_id,
            window_start=found.window.start_seconds,
            window_end=found.window.end_seconds,
            peak=moment.peak,
            duration_seconds=found.duration_seconds,
            recorded_seconds=found.recorded_seconds,
        )
        hits.append(hit)
    return hits


def said_hit(moment: SaidMoment, best: float, vector: NDArray[np.float32] | None) -> Hit:
    """Return the hit of a moment that is said; its score is a cosine if there is a vector."""
    window, score = moment.window, moment.score
    if vector is not None:
        during = (window.bounds[:-1] < moment.end) & (window.bounds[1:] > moment.start)  # [S]
        score = float((window.segments[during] @ vector).max())
    return Hit(
        path=window.path,
        start=moment.start,
        end=moment.end,
        score=score,
        rank=0,
        strength=moment.score / best if best > 0 else 1.0,
        video_id=window.video_id,
        window_start=window.window.start_seconds,
        window_end=window.window.end_seconds,
        peak=(moment.start + moment.end) / 2,
        duration_seconds=window.duration_seconds,
        recorded_seconds=window.recorded_seconds,
        reasons=("said",),
        said=moment.cues,
    )
