"""Joins moments of several files to one film."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from centerclip.atomic import give_name
from centerclip.clips.looking import failed, look
from centerclip.clips.moment import Moment
from centerclip.errors import VideoError
from centerclip.records import Failed
from centerclip.video import cut_part, join_parts
from centerclip.video.media import Media

__all__ = ["Reel", "make_reel", "reel_form"]

_LONG, _SHORT = 1920, 1080
_MAX_RATE = Fraction(60)


@dataclass(frozen=True, slots=True)
class Reel:
    """A finished reel, and the moments it shows, in their order."""

    path: Path
    moments: tuple[Moment, ...]


def reel_form(media: Sequence[Media]) -> tuple[tuple[int, int], Fraction]:
    """Choose the size (height, width) and rate of a reel: those of the largest and of the fastest file.

    At most 1920 x 1080, upright or lying, and 60 frames per second.
    """
    largest = max(media, key=lambda one: one.width * one.height)
    height, width = largest.height, largest.width
    scale = min(1.0, _LONG / max(height, width), _SHORT / min(height, width))
    even = (max(2, round(side * scale / 2) * 2) for side in (height, width))
    rate = max(one.rate for one in media)
    while rate > _MAX_RATE:
        rate /= 2
    return (next(even), next(even)), rate


def make_reel(moments: Sequence[Moment], target: Path) -> Generator[Moment | Failed | Reel]:
    """Cut moments and join them to one MP4 file, all of the same size and frame rate.

    The work is done step by step, while the caller asks for the next outcome. Closing the iterator ends it
    and leaves nothing behind. A moment that can't be cut is left out.

    Args:
        moments: in the order of the reel; at least one.
        target: a new file; its folder exists.

    Yields:
        Per moment itself, or `Failed`; at last the `Reel`.

    Raises:
        VideoError: no moment can be cut.
        FileExistsError: the target exists.
    """
    if target.exists():
        raise FileExistsError(17, "exists already: choose another name", str(target))
    looked = look(moment.path for moment in moments)
    readable = [media for media in looked.values() if isinstance(media, Media)]
    if not readable:
        raise VideoError(f"{target}: none of these videos can be read, so there is no reel")
    size, rate = reel_form(readable)
    with TemporaryDirectory(prefix=".reel-", dir=target.parent) as folder:
        parts: list[tuple[Moment, Path]] = []
        for number, moment in enumerate(moments):
            known = looked[moment.path]
            if isinstance(known, Failed):
                yield known
                continue
            part = Path(folder, f"{number}.mov")
            try:
                cut_part(moment.path, part, start=moment.start, end=moment.end, size=size, rate=rate)
            except VideoError as error:
                yield failed(moment.path, error)
                continue
            parts.append((moment, part))
            yield moment
        if not parts:
            raise VideoError(f"{target}: none of these moments can be cut, so there is no reel")
        whole = Path(folder, "reel.mp4")
        join_parts([part for _, part in parts], whole)
        give_name(whole, target)
    yield Reel(target, tuple(moment for moment, _ in parts))
