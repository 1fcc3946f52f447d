"""Real footage as halves: two videos of the same scene, to find one by the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.records import Failed, Item
from centerclip.video import VideoReader

__all__ = ["Halves", "cut_halves"]


@dataclass(frozen=True)
class Halves:
    """Clips cut in the middle.

    Attributes:
        items: first and second half of each clip, in turn.
        failed: the clips that were left out.
    """

    items: tuple[Item, ...]
    failed: tuple[Failed, ...] = ()

    @property
    def clips(self) -> NDArray[np.int64]:
        """[2 C] the number of each half's clip."""
        return np.arange(len(self.items)) // 2

    def without(self, failed: Iterable[Failed]) -> Halves:
        """Leave out the clips of files that turned out to be unreadable."""
        failed = tuple(failed)
        paths = {file.path for file in failed}
        kept = tuple(item for item in self.items if item.path not in paths)
        return Halves(kept, (*self.failed, *failed))


def cut_halves(clips: Iterable[Item]) -> Halves:
    """Cut clips, which may be parts of files, in the middle; clips that can't be opened are left out."""
    items: list[Item] = []
    failed: list[Failed] = []
    for clip in clips:
        try:
            with VideoReader(clip.path) as reader:
                duration = reader.duration_seconds
        except VideoError as error:
            failed.append(Failed(clip.path, str(error)))
            continue
        start = clip.start_seconds or 0.0
        end = duration if clip.end_seconds is None else min(clip.end_seconds, duration)
        middle = (start + end) / 2
        items += [Item(clip.path, start, middle), Item(clip.path, middle, end)]
    return Halves(tuple(items), tuple(failed))
