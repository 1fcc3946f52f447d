"""Moments in which words are said.

If a query is also looked for in pictures, a cue counts only if it has more than half of the query's words,
and no other has more of them: a sentence about a picture shares a word or two with much that is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from centerclip.index import StoredCue, StoredWindow, VideoIndex
from centerclip.index.restriction import Restriction
from centerclip.index.snapshot import first_of_each

__all__ = ["Said", "SaidMoment", "coverage", "find_said", "join_cues"]

_PAD_SECONDS = 0.5
"""Subtitles begin with the first word, and a player needs a moment."""
_GAP_SECONDS = 2.0
"""Cues that are no further apart are one moment."""
_LONGEST_SECONDS = 30.0
"""A moment that is this long isn't joined with further cues."""
_CANDIDATES = 200
"""Cues to look at first; more if few moments come of them."""
_MOST_CUES = 50_000
_SHORTEST = 3
"""Letters of a word that can have a plural."""
_PLURALS = frozenset({"", "s", "es"})
_ENDING = 3
"""Letters in which forms of one word may differ at their end: `dance`, `dancing`."""
_STEM = 4
"""Letters that they share at least."""

_EVERYDAY_TEXT = """
a about all am an and any are as at be been but by can did do does for from had has have he her him his i if
in into is it its me my no not of on or our out over she so some than that the their them then there these
they this those to up us was we were what when where which who will with you your
"""
_EVERYDAY = frozenset(_EVERYDAY_TEXT.split())
"""Words of English that say nothing about what is meant."""
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Said:
    """Words that are said in a hit's moment.

    `start` and `end` are seconds in the file, `language` is a code or "", `source` the name of a subtitle
    file, `stream 2`, or `model small`.
    """

    start: float
    end: float
    text: str
    language: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class SaidMoment:
    """A stretch of a file in which the words are said; `window` has most of its best cue.

    `score` is the BM25 of the best cue.
    """

    window: StoredWindow
    start: float
    end: float
    score: float
    cues: tuple[Said, ...]


def find_said(
    index: VideoIndex,
    words: Sequence[tuple[str, float]],
    *,
    strict: bool,
    top: int,
    per_video: int | None,
    only: Restriction,
    tail: bool = False,
) -> list[SaidMoment]:
    """Find the moments in which words are said.

    Args:
        index: is searched.
        words: see `Spoken.search`.
        strict: whether a cue must have more than half of the words, and as many as any other.
        top: maximum number of moments.
        per_video: maximum number of moments of the same content; None for no limit.
        only: condition and deadline.
        tail: keep cues that match far less well than the best one; for `strict`, all are kept.

    Returns:
        Moments in descending order of score.
    """
    wanted = max(_CANDIDATES, 4 * top)
    query = [text for text, weight in words if weight > 0]
    while True:
        found = index.spoken.search(words, wanted, only)
        if strict:
            shares = [coverage(query, cue.text) for cue in found]
            most = max([0.5, *shares])
            chosen = [cue for cue, share in zip(found, shares, strict=True) if share == most > 0.5]
        else:
            chosen = [cue for cue in found if tail or cue.score > found[0].score / 2]
        joined = join_cues(chosen)
        kept = first_of_each([cues[0].video_id for cues in joined], per_video)[:top]
        cut = len(chosen) < len(found) and not strict  # the rest is weaker still
        if len(kept) == top or len(found) < wanted or cut or wanted >= _MOST_CUES:
            return _with_windows(index, [joined[at] for at in kept])
        wanted *= 4


def coverage(query: Iterable[str], text: str) -> float:
    """Return the share of a query's words that a text has in some form; everyday words don't count."""
    wanted = {word for part in query for word in _words(part)}
    meant = {word for word in wanted if word not in _EVERYDAY} or wanted
    said = _words(text)
    there = sum(any(_same(word, other) for other in said) or _within(word, text) for word in meant)
    return there / len(meant) if meant else 0.0


def _words(text: str) -> set[str]:
    bare = unicodedata.normalize("NFKD", text.casefold())
    return set(_WORD.findall("".join(letter for letter in bare if not unicodedata.combining(letter))))


def _same(word: str, other: str) -> bool:
    """Whether two words are forms of the same one, as far as their letters tell."""
    short, long = sorted((word, other), key=len)
    if len(short) >= _SHORTEST and long.removeprefix(short) in _PLURALS:
        return True
    if word == other:
        return True
    shared = next((at for at, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), None)
    length = min(len(word), len(other)) if shared is None else shared
    return length >= _STEM and max(len(word), len(other)) - length <= _ENDING


def _within(word: str, text: str) -> bool:
    """Whether a word of a script without spaces occurs in a text."""
    return (
        not word[0].isascii() and not word[0].isupper() and not word[0].islower() and word in text.casefold()
    )


def join_cues(cues: Sequence[StoredCue]) -> list[list[StoredCue]]:
    """Group cues that nearly touch, the best group first; of several paths with one content, one remains.

    Returns:
        The cues of each moment in time order.
    """
    paths: dict[str, str] = {}
    for cue in cues:
        paths[cue.video_id] = min(str(cue.path), paths.get(cue.video_id, str(cue.path)))
    groups: list[list[StoredCue]] = []
    for cue in sorted(cues, key=lambda one: (one.video_id, one.start, one.source)):
        if str(cue.path) != paths[cue.video_id]:
            continue
        last = groups[-1] if groups else []
        if (
            last
            and last[0].video_id == cue.video_id
            and cue.start - max(one.end for one in last) <= _GAP_SECONDS
            and cue.end - last[0].start <= _LONGEST_SECONDS
        ):
            last.append(cue)
        else:
            groups.append([cue])
    return sorted(groups, key=lambda group: (-_best(group).score, str(group[0].path), group[0].start))


def _best(group: Sequence[StoredCue]) -> StoredCue:
    return max(group, key=lambda cue: cue.score)


def _with_windows(index: VideoIndex, groups: Sequence[list[StoredCue]]) -> list[SaidMoment]:
    """Return the moments of groups of cues; without those that lie in no window."""
    best = [_best(group) for group in groups]
    windows = index.windows_at([(cue.path, cue.start, cue.end) for cue in best])
    moments = []
    for group, cue, window in zip(groups, best, windows, strict=True):
        if window is not None:
            start = max(0.0, group[0].start - _PAD_SECONDS)
            end = min(cue.duration_seconds, max(one.end for one in group) + _PAD_SECONDS)
            said = tuple(Said(one.start, one.end, one.text, one.language, one.source) for one in group)
            moments.append(SaidMoment(window, start, end, cue.score, said))
    return moments
