"""From an index to pairs of files that show the same.

1. Exact copies have the same content id.
2. For each segment, the index's nearest-neighbor search names the contents that have a similar window; each
   content's most frequent ones are its candidates.
3. Each candidate is aligned twice: as it is, and played backwards. Footage that is only similar matches
   either way equally well, so the runs of videos played backwards show what chance reaches in this library,
   with its fixed cameras, its slides and its model.
4. A run counts if its evidence is above that of all but a hundredth as many backward runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import pairwise
from typing import Literal

import numpy as np

from centerclip.duplicates.alignment import Run, align
from centerclip.duplicates.background import Background
from centerclip.duplicates.pairs import Pair, Span, grouped, kind_of
from centerclip.duplicates.tracks import Track
from centerclip.index import StoredVideo, VideoIndex, contents_near, windows_of

__all__ = ["Duplicates", "Stage", "find_duplicates"]

Stage = Literal["searching", "comparing"]

_NEAR = 8
"""Contents to look at per segment. If there are more copies, groups are chains of these."""
_CANDIDATES = 10
"""Contents to align with each content."""
_SAMPLE_WINDOWS = 4096
"""Windows from which the background is estimated: 80 MB of segments at E = 512."""
_BATCH_WINDOWS = 2048
"""Windows whose segments are in memory at once."""
_FALSE = 0.01
"""How many backward runs may be as strong as a reported one, per reported run."""
_LEAST = 0.3
"""The least evidence of a run, because in a small library few videos are played backwards. A strength of 0.3
reaches it with two changes, of 0.2 with three and a half."""
_PARTS = 8
"""Maximum number of runs of two videos."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The result.

    Attributes:
        pairs: ordered by group; the strongest group is the first.
        compared: pairs of contents that were aligned.
        limit: the evidence that a run needed.
        by_chance: estimated number of pairs that are only similar: as many backward runs were that strong.
    """

    pairs: tuple[Pair, ...]
    compared: int
    limit: float
    by_chance: int


@dataclass(frozen=True, slots=True)
class _Found:
    """The runs of two contents, the strongest first, and the evidence of the best backward run."""

    contents: tuple[str, str]
    runs: tuple[Run, ...]
    slack: tuple[float, float]
    backwards: float


def find_duplicates(
    index: VideoIndex, *, on_progress: Callable[[Stage, int, int], None] = lambda *_: None
) -> Duplicates:
    """Find videos that show the same footage: copied, encoded again, cut out, contained, sped up or cropped.

    Not found are copies of footage in which nothing changes (except exact ones), mirrored or rotated copies,
    and shared parts of less than three segments.

    Args:
        index: only read. Memory is bounded, except for a few hundred bytes per file.
        on_progress: called with the stage, and how many contents or pairs of how many are done.

    Raises:
        IndexStoreError: the index can't be read.
    """
    copies: dict[str, list[StoredVideo]] = defaultdict(list)
    for video in index.videos("state = 'done'"):
        copies[video.info.video_id].append(video)
    contents = {name: videos[0] for name, videos in copies.items()}
    background = _background(index, contents)
    candidates = _candidates(index, contents, background, on_progress)
    found = list(_compare(index, contents, candidates, background, on_progress))
    limit, by_chance = _limit(found)
    pairs = [pair for videos in copies.values() for pair in _copies(videos)]
    for one in found:
        if one.runs[0].evidence > one.backwards:
            first, second = (contents[name] for name in one.contents)
            pairs += [_pair(first, second, run, one.slack) for run in one.runs if run.evidence >= limit]
    return Duplicates(tuple(grouped(pairs)), len(candidates), limit, by_chance)


def _background(index: VideoIndex, contents: dict[str, StoredVideo]) -> Background:
    names = sorted(contents)  # ids are hashes: a fixed order that has nothing to do with what is shown
    chosen = next(_batches(names, contents, _SAMPLE_WINDOWS), [])
    found = list(windows_of(index, chosen).values())
    segments = [window.segments for windows in found for window in windows]
    if not segments:
        return Background(np.zeros(1), np.eye(1), 0.0)
    sizes = [sum(len(window.segments) for window in windows) for windows in found]
    return Background.of(np.concatenate(segments), np.repeat(np.arange(len(found)), sizes))


def _candidates(
    index: VideoIndex,
    contents: dict[str, StoredVideo],
    background: Background,
    on_progress: Callable[[Stage, int, int], None],
) -> list[tuple[str, str]]:
    """Return pairs of contents to align, each once, the first ordered as in `contents`."""
    pairs: set[tuple[str, str]] = set()
    done = 0
    for names in _batches(list(contents), contents, _BATCH_WINDOWS):
        on_progress("searching", done, len(contents))
        done += len(names)
        for name, windows in windows_of(index, names).items():
            votes: dict[str, float] = defaultdict(float)
            vectors = background.queries(np.concatenate([window.segments for window in windows]))
            for near in contents_near(index, vectors, top=_NEAR + 1):
                others = [other for other in near if other != name and other in contents]
                for rank, other in enumerate(others, start=1):
                    votes[other] += 1 / rank
            pairs |= {
                _ordered(name, other, contents)
                for other in nlargest(_CANDIDATES, votes, key=votes.__getitem__)
            }
    places = {name: place for place, name in enumerate(contents)}
    return sorted(pairs, key=lambda pair: (places[pair[0]], places[pair[1]]))


def _ordered(name: str, other: str, contents: dict[str, StoredVideo]) -> tuple[str, str]:
    """The longer video is the first."""
    one, two = sorted((name, other), key=lambda key: (-contents[key].info.duration_seconds, key))
    return one, two


def _compare(
    index: VideoIndex,
    contents: dict[str, StoredVideo],
    pairs: Sequence[tuple[str, str]],
    background: Background,
    on_progress: Callable[[Stage, int, int], None],
) -> Iterator[_Found]:
    """Align pairs; yield those with a run."""
    partners: dict[str, list[str]] = defaultdict(list)
    for name, other in pairs:
        partners[name].append(other)
    done = 0
    for names in _batches(list(partners), contents, _BATCH_WINDOWS):
        firsts = _tracks(index, names, background)
        wanted = dict.fromkeys(other for name in names for other in partners[name])
        for others in _batches(list(wanted), contents, _BATCH_WINDOWS):
            seconds = _tracks(index, others, background)
            for name in names:
                for other in (each for each in partners[name] if each in seconds and name in firsts):
                    on_progress("comparing", done, len(pairs))
                    done += 1
                    found = _align((name, other), firsts[name], seconds[other], background.unusual)
                    if found is not None:
                        yield found


def _align(contents: tuple[str, str], first: Track, second: Track, unusual: float) -> _Found | None:
    best = align(first, second, unusual)
    if best is None:
        return None
    chance = align(first, second.backwards(), unusual)
    runs = [best]
    if best.evidence >= _LEAST:
        runs += _further(first, second, best, unusual, _PARTS - 1)
    slack = first.typical_seconds, second.typical_seconds
    return _Found(contents, tuple(runs), slack, chance.evidence if chance else 0.0)


def _further(first: Track, second: Track, run: Run, unusual: float, most: int) -> Iterator[Run]:
    """Look for more runs before and after one in the first video."""
    for start, end in ((0.0, run.first[0]), (run.first[1], first.seconds)):
        part = first.cut(start, end)
        if part is None or len(part.vectors) < 3 or most < 1:
            continue
        more = align(part, second, unusual)
        if more is not None and more.evidence >= _LEAST and more.first[0] >= part.starts[0]:
            yield more
            yield from _further(part, second, more, unusual, most // 2)


def _limit(found: Sequence[_Found]) -> tuple[float, int]:
    """Return the evidence that a run needs, and how many backward runs have it.

    Of each pair only the stronger direction counts, so that a copy, which also resembles its own reverse a
    little, doesn't raise the limit.
    """
    forward = np.sort([one.runs[0].evidence for one in found if one.runs[0].evidence > one.backwards])
    backward = np.sort([one.backwards for one in found if one.runs[0].evidence <= one.backwards])
    for limit in np.unique([_LEAST, *np.nextafter(backward[backward >= _LEAST], np.inf)]):
        chance = len(backward) - int(np.searchsorted(backward, limit))
        if chance <= _FALSE * (len(forward) - int(np.searchsorted(forward, limit))):
            return float(limit), chance
    return _LEAST, 0


def _tracks(index: VideoIndex, names: Sequence[str], background: Background) -> dict[str, Track]:
    return {
        name: background.track(
            np.concatenate([window.segments for window in windows]),
            np.array([pair for window in windows for pair in pairwise(window.bounds)]),
        )
        for name, windows in windows_of(index, names).items()
    }


def _batches(names: Iterable[str], contents: dict[str, StoredVideo], most: int) -> Iterator[list[str]]:
    """Divide contents into lists with at most `most` windows; a longer content is alone."""
    batch: list[str] = []
    held = 0
    for name in names:
        windows = contents[name].windows
        if batch and held + windows > most:
            yield batch
            batch, held = [], 0
        batch.append(name)
        held += windows
    if batch:
        yield batch


def _copies(videos: Sequence[StoredVideo]) -> Iterator[Pair]:
    for other in videos[1:]:
        yield Pair("copy", _whole(videos[0]), _whole(other), speed=1.0, strength=1.0)


def _whole(video: StoredVideo) -> Span:
    seconds = video.info.duration_seconds
    return Span(video.info.path, 0.0, seconds, seconds)


def _pair(first: StoredVideo, second: StoredVideo, run: Run, slack: tuple[float, float]) -> Pair:
    one, two = (
        Span(video.info.path, round(start, 3), round(end, 3), video.info.duration_seconds)
        for video, (start, end) in ((first, run.first), (second, run.second))
    )
    return Pair(kind_of(one, two, slack), one, two, speed=run.speed, strength=round(run.strength, 4))
