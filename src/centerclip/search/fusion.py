"""Fuse the moments in which a query is seen with those in which its words are said.

By reciprocal rank: a moment's value is the sum of 1 / (60 + rank) over the rankings that have it, so that
cosines and BM25 need no common scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from centerclip.index.snapshot import first_of_each
from centerclip.search.hits import Hit

__all__ = ["fuse"]

_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)."""


def fuse(seen: Sequence[Hit], said: Sequence[Hit], *, top: int, per_video: int | None) -> list[Hit]:
    """Fuse two rankings.

    A moment of `said` belongs to the best one of `seen` whose window or moment it overlaps; then the hit
    spans both.

    Args:
        seen: hits of a query's pictures, best first.
        said: hits of its words, best first.
        top: maximum number of hits.
        per_video: maximum number of hits of the same content; None for no limit.

    Returns:
        Hits in descending order of value.
    """
    hits = list(seen)
    values = [1 / (_K + rank) for rank in range(1, len(hits) + 1)]
    spoken: set[int] = set()
    by_video: dict[str, list[int]] = {}
    for at, hit in enumerate(hits):
        by_video.setdefault(hit.video_id, []).append(at)
    for rank, hit in enumerate(said, start=1):
        value = 1 / (_K + rank)
        places = [at for at in by_video.get(hit.video_id, ()) if _overlap(hits[at], hit)]
        if not places:
            hits.append(hit)
            values.append(value)
            continue
        at = places[0]
        values[at] += 0.0 if at in spoken else value
        spoken.add(at)
        before = hits[at]
        hits[at] = replace(
            before,
            start=min(before.start, hit.start),
            end=max(before.end, hit.end),
            strength=max(before.strength, hit.strength),
            reasons=("seen", "said"),
            said=(*before.said, *hit.said),
        )
    order = sorted(range(len(hits)), key=lambda at: -values[at])
    ranked = [hits[at] for at in order]
    kept = first_of_each([hit.video_id for hit in ranked], per_video)[:top]
    return [replace(ranked[at], rank=rank) for rank, at in enumerate(kept, start=1)]


def _overlap(seen: Hit, said: Hit) -> bool:
    start, end = min(seen.start, seen.window_start), max(seen.end, seen.window_end)
    return said.said[0].start < end and said.said[-1].end > start
