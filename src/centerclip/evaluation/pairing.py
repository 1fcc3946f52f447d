"""The paired comparison of reports: which results and which queries belong together, and what differs."""

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
    """Two results on the same queries, and the differences: the second's figures minus the first's."""

    first: Result
    second: Result
    text_to_video: Comparison
    video_to_text: Comparison | None
    """None where one of them ranked no captions."""


def compare_reports(first: Report, second: Report | None = None, *, seed: int = 0) -> list[Pair]:
    """Compare the results of two reports, or those of one, query by query.

    Of one report, its first result is compared with each of the others. Of two, a report with one
    result is compared with every result of the other; of two with several, those with the same schedule,
    reducer and re-scoring are.

    Args:
        first: what is compared with.
        second: what is compared; None for the first one's own results.
        seed: of the resampling.

    Raises:
        ConfigError: another data set, split, protocol, gallery or other captions; or nothing to pair.
    """
    if second is None:
        if len(first.results) < 2:
            raise ConfigError(
                f"the report has one result, {first.results[0].name}; to compare takes a second report, or a "
                "report of several schedules"
            )
        pairs = [(first.results[0], other) for other in first.results[1:]]
        second = first
    else:
        _check(first, second)
        pairs = list(_pairs(first.results, second.results))
    by_caption = _order(
        [(query.video, query.text) for query in first.captions],
        [(query.video, query.text) for query in second.captions],
    )
    by_video = _order(first.told, second.told)
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
    alike = [(result, named[result.name]) for result in first if result.name in named]
    if not alike:
        raise ConfigError(
            f"the first report has {', '.join(result.name for result in first)}, the second "
            f"{', '.join(named)}: nothing to pair. Evaluate both under the same schedules, or one under one"
        )
    yield from alike


def _check(first: Report, second: Report) -> None:
    """Refuse reports whose ranks don't compare, by the first thing in which they differ."""
    for name in ("dataset", "split", "protocol"):
        a, b = getattr(first, name), getattr(second, name)
        if a != b:
            raise ConfigError(
                f"the reports have another {name}, {a!r} and {b!r}; only the same queries can be paired"
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
            f"second, such as {example!r}; ranks among others don't compare. Evaluate both on the same files"
        )


def _order(first: Sequence[object], second: Sequence[object]) -> NDArray[np.intp]:
    """Where in `second` each of `first` stands; equal ones pair in their order."""
    places: dict[object, list[int]] = {}
    for place, query in reversed(list(enumerate(second))):
        places.setdefault(query, []).append(place)
    return np.array([places[query].pop() for query in first], dtype=np.intp)
