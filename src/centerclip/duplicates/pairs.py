"""What is reported: two files, the stretch of each, and how they are related."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

__all__ = ["KINDS", "Kind", "Pair", "Span", "grouped", "kind_of"]

Kind: TypeAlias = Literal["copy", "encoded", "contained", "overlap"]
"""`copy`: the same bytes. `encoded`: all of both, encoded again. `contained`: all of the second is in the
first. `overlap`: a part of both."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file, in seconds; `duration_seconds` is the whole file's."""

    path: Path
    start: float
    end: float
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files that show the same.

    Attributes:
        kind: how they are related.
        first, second: the stretch of each; the first file is the longer one.
        speed: seconds of the second that pass in one second of the first: 0.5 if the second plays twice as
            fast.
        strength: from 0 to 1, how much alike they are in what is shown and in how it changes.
        group: pairs with the same number are connected; counted from 1.
    """

    kind: Kind
    first: Span
    second: Span
    speed: float
    strength: float
    group: int = 0


def kind_of(first: Span, second: Span, slack: tuple[float, float]) -> Kind:
    """Tell how two stretches are related.

    Args:
        first, second: the stretches; the first file is the longer one.
        slack: how many seconds may lack at each end of each file for all of it to count as there: a segment,
            which is how exactly the borders are known.
    """
    whole = [
        span.start <= seconds and span.end >= span.duration_seconds - seconds
        for span, seconds in zip((first, second), slack, strict=True)
    ]
    if all(whole):
        return "encoded"
    return "contained" if whole[1] else "overlap"


def grouped(pairs: Sequence[Pair]) -> list[Pair]:
    """Number the groups of connected pairs; the strongest group first, and the strongest pair of each."""
    parent: dict[Path, Path] = {}

    def root(path: Path) -> Path:
        while (above := parent.setdefault(path, path)) != path:
            parent[path] = path = parent[above]
        return path

    for pair in pairs:
        parent[root(pair.first.path)] = root(pair.second.path)
    numbers: dict[Path, int] = {}
    ordered = sorted(
        pairs, key=lambda pair: (-pair.strength, pair.first.path, pair.second.path, pair.first.start)
    )
    numbered = [
        replace(pair, group=numbers.setdefault(root(pair.first.path), len(numbers) + 1)) for pair in ordered
    ]
    return sorted(numbered, key=lambda pair: pair.group)
