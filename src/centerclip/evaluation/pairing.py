"""Compares reports query by query: which results and queries belong together, and their differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import ConfigError
from centerclip.evaluation.report import Report, Result
from centerclip.metrics import Comparison, compare

__all__ = ["Pair", "compare_reports"]


@dataclass(frozen=True)
class Pair:
    """Two results on the same queries, and the differences: second minus first."""

    first: Result
    second: Result
    text_to_video: Comparison
    video_to_text: Comparison | None
    """None if one of the results has no video-to-text."""


def compare_reports(first: Report, second: Report | None = None, *, seed: int = 0) -> list[Pair]:
    """Compare the results of two reports, or those of one, query by query.

    With one report, its first result is compared with each of its others. With two, a single result is
    compared with every result of the other report; if both have several, results with the same schedule,
    reducer and re-scoring are compared.

    Args:
        first: the baseline.
        second: compared with the baseline; None compares the results within `first`.
        seed: seed of the resampling.

    Raises:
        ConfigError: the reports differ in data set, split, protocol, videos or captions, or no results match.
    """
    if second is None:
        if len(first.results) < 2:
            raise ConfigError(
                f"the report has one result, {first.results[0].name}: give a second report, or a report of "
                "several schedules"
            )
        pairs = [(first.results[0], other) for other in first.results[1:]]
        second = first
    else:
        _check(first, second)
        pairs = list(_pairs(first.results, second.results))
    by_caption = _order(first.captions, second.captions)
    by_video = _order(first.captioned_videos, second.captioned_videos)
    owner = np.array([query.video for query in first.captions])
    return [
        Pair(
            a,
            b,
            compare(
                a.text_to_video_ranks, np.array(b.text_to_video_ranks)[by_caption], groups=owner, seed=seed
            ),
            None
            if a.video_to_text_ranks is None or b.video_to_text_ranks is None
            else compare(a.video_to_text_ranks, np.array(b.video_to_text_ranks)[by_video], seed=seed),
        )
        for a, b in pairs
    ]


def _pairs(first: Sequence[Result], second: Sequence[Result]) -> Iterator[tuple[Result, Result]]:
    if len(first) == 1 or len(second) == 1:
        yield from ((a, b) for a in first for b in second)
        return
    named = {result.name: result for result in second}
    matching = [(result, named[result.name]) for result in first if result.name in named]
    if not matching:
        raise ConfigError(
            f"no results match: {', '.join(result.name for result in first)} in the first report and "
            f"{', '.join(named)} in the second. Evaluate both with the same schedules"
        )
    yield from matching


def _check(first: Report, second: Report) -> None:
    """Refuse reports on different queries, and name the first difference."""
    for name in ("dataset", "split", "protocol"):
        a, b = getattr(first, name), getattr(second, name)
        if a != b:
            raise ConfigError(
                f"the reports differ in their {name}, {a!r} and {b!r}: evaluate both in the same way"
            )
    _same("videos", first.videos, second.videos)
    _same(
        "captions",
        [f"{query.video}: {query.text}" for query in first.captions],
        [f"{query.video}: {query.text}" for query in second.captions],
    )


def _same(what: str, first: Sequence[str], second: Sequence[str]) -> None:
    only_first, only_second = Counter(first) - Counter(second), Counter(second) - Counter(first)
    if only_first or only_second:
        example = next(iter(only_first or only_second))
        raise ConfigError(
            f"{only_first.total()} {what} are only in the first report and {only_second.total()} only in the "
            f"second, such as {example!r}: evaluate both on the same files"
        )


def _order(first: Sequence[object], second: Sequence[object]) -> NDArray[np.intp]:
    """Return the position in `second` of each item of `first`. Equal items are matched in order."""
    places: dict[object, list[int]] = {}
    for place, query in reversed(list(enumerate(second))):
        places.setdefault(query, []).append(place)
    return np.array([places[query].pop() for query in first], dtype=np.intp)
