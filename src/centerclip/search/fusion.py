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

    A moment of `said` belongs to the best one of `seen` that it overlaps. Then the hit is as long as the
    words, during which it is both seen and said. Of equal values, what is said comes first: that somebody
    says most of a query's words is seldom chance, while some picture always comes first.

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
        joined = at in spoken
        spoken.add(at)
        before = hits[at]
        hits[at] = replace(
            before,
            start=min(before.start, hit.start) if joined else hit.start,
            end=max(before.end, hit.end) if joined else hit.end,
            strength=max(before.strength, hit.strength),
            peak=before.peak if joined or hit.start <= before.peak <= hit.end else hit.peak,
            reasons=("seen", "said"),
            said=(*before.said, *hit.said),
        )
    order = sorted(range(len(hits)), key=lambda at: (-values[at], "said" not in hits[at].reasons))
    ranked = [hits[at] for at in order]
    kept = first_of_each([hit.video_id for hit in ranked], per_video)[:top]
    return [replace(ranked[at], rank=rank) for rank, at in enumerate(kept, start=1)]


def _overlap(seen: Hit, said: Hit) -> bool:
    return said.start < seen.end and said.end > seen.start
