"""Cuts moments to files that are whole or not there, and never written over anybody else's."""

from __future__ import annotations

import mmap
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from centerclip.atomic import give_name, make_folder
from centerclip.clips.looking import failed
from centerclip.clips.moment import Moment, clip_name
from centerclip.errors import VideoError
from centerclip.records import Failed
from centerclip.video import Cut, content_id, cut_clip

__all__ = ["Clip", "cut", "cut_moments"]


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip of a moment at `path`, and what it shows of the file."""

    moment: Moment
    path: Path
    cut: Cut


def cut(path: Path, start: float, end: float, target: Path) -> Cut:
    """Cut a stretch of a file to a new file in full quality; see `centerclip.video.cut_clip` for details.

    Args:
        path: the video.
        start, end: seconds from its first frame.
        target: an .mp4 or .mov file that doesn't exist; its folder does.

    Raises:
        VideoError: the file can't be decoded.
        FileExistsError: the target exists.
        ValueError: another suffix, or a span that is empty.
    """
    if target.exists():  # before the work; checked again after it
        raise FileExistsError(17, "exists already: choose another name", str(target))
    with _part_of(target) as part:
        made = cut_clip(path, part, start=start, end=end)
        give_name(part, target)
    return made


def cut_moments(moments: Sequence[Moment], folder: Path) -> Iterator[Clip | Failed]:
    """Cut each moment to a file in a folder, named by `clip_name`.

    A file that is there stays as it is: if it is a clip of the same moment, by its metadata, it counts as the
    clip's own; otherwise the clip gets a number. A moment that can't be cut doesn't stop the others.

    Args:
        moments: the name of a clip has the moment's rank.
        folder: made if it is missing.

    Yields:
        A `Clip` per moment, or `Failed` with the reason.

    Raises:
        OSError: the folder can't be made.
    """
    make_folder(folder)
    digits = max(2, len(str(max((moment.rank for moment in moments), default=1))))
    for moment in moments:
        try:
            yield _cut_into(folder, moment, clip_name(moment, digits=digits))
        except VideoError as error:
            yield failed(moment.path, error)
        except OSError as error:
            yield Failed(moment.path, f"its clip can't be written ({error.strerror})")


def _cut_into(folder: Path, moment: Moment, name: str) -> Clip:
    first = folder / name
    mark = _mark(moment)
    with _part_of(first) as part:
        made = cut_clip(moment.path, part, start=moment.start, end=moment.end, comment=mark)
        for number in count(1):
            target = first if number == 1 else first.with_stem(f"{first.stem} ({number})")
            with suppress(FileExistsError):
                give_name(part, target)
                return Clip(moment, target, made)
            if _contains(target, mark):
                return Clip(moment, target, made)
    raise AssertionError("unreachable")


def _mark(moment: Moment) -> str:
    """What tells that a clip is of this moment: encoding it again doesn't always give the same bytes."""
    try:
        return f"{content_id(moment.path)} {moment.start:.3f} {moment.end:.3f}"
    except VideoError:
        return ""  # cutting it will tell why it can't be read


def _contains(file: Path, text: str) -> bool:
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(text.encode()) >= 0
    except (OSError, ValueError):  # a folder, or an empty file
        return False


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """A file beside the target to write to, which is deleted unless it gets another name."""
    part = target.with_name(f".{uuid.uuid4().hex}.part{target.suffix}")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
