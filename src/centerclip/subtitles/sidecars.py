"""Subtitle files beside a video: `film.srt`, `film.en.srt`, `film.en.forced.vtt`, `film.mp4.srt`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from centerclip.errors import VideoError
from centerclip.records import Cue
from centerclip.remote import Address
from centerclip.subtitles.languages import language_of
from centerclip.subtitles.parsing import MOST_BYTES, parse_subtitles

__all__ = ["SUBTITLE_SUFFIXES", "Sidecar", "find_sidecars", "read_subtitle_file"]

SUBTITLE_SUFFIXES = frozenset({".srt", ".vtt", ".ass", ".ssa"})
"""Suffixes, in any case, of the subtitle files that are read."""
_MOST = 50
"""Subtitle files per video; a film has about ten."""
_MOST_TAGS = 3


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A subtitle file beside a video, and what its name says; `language` is "" if it says none."""

    path: Path
    language: str
    size_bytes: int
    modified_seconds: float

    @property
    def stamp(self) -> tuple[str, int, float]:
        """Differs if the file was changed or renamed, but not if it was moved along with its video."""
        return self.path.name, self.size_bytes, self.modified_seconds


def find_sidecars(videos: Iterable[Path]) -> Iterator[tuple[Path, tuple[Sidecar, ...]]]:
    """Yield each video with its subtitle files, sorted by name; a folder is listed once.

    A file belongs to the videos whose name, with or without suffix, its own begins with; of several names,
    the longest counts (`film.part2.srt` belongs to `film.part2.mp4` if there is one, not to `film.mp4`). In
    between there may be up to three tags.
    """
    by_folder: dict[Path, list[Path]] = {}
    for video in videos:
        by_folder.setdefault(video.parent, []).append(video)
    for folder, here in by_folder.items():
        stems: dict[str, list[Path]] = {}
        for video in here:
            for name in {video.name, video.stem}:
                stems.setdefault(name, []).append(video)
        found: dict[Path, list[Sidecar]] = {video: [] for video in here}
        for path in _subtitle_files(folder):
            parts = path.name.split(".")[:-1]
            for taken in range(len(parts), max(0, len(parts) - _MOST_TAGS - 1), -1):
                if owners := stems.get(".".join(parts[:taken])):
                    if sidecar := _describe(path, parts[taken:]):
                        for owner in owners:
                            found[owner].append(sidecar)
                    break
        yield from ((video, tuple(some[:_MOST])) for video, some in found.items())


def read_subtitle_file(path: Path) -> list[Cue]:
    """Read a subtitle file.

    Raises:
        VideoError: it can't be read; the message says why.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for its writer
            raise VideoError(f"{path}: isn't a file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        return parse_subtitles(content, path.suffix, language=_language(path.name.split(".")[1:-1]))
    except OSError as error:
        raise VideoError(f"{path}: can't be read ({error.strerror})") from error
    except VideoError as error:
        raise VideoError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def _subtitle_files(folder: Path) -> list[Path]:
    if isinstance(folder, Address):
        return []  # only what is in a video at an address is read
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        folder / name
        for name in names
        if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUBTITLE_SUFFIXES
    ]


def _describe(path: Path, tags: list[str]) -> Sidecar | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return Sidecar(path, _language(tags), found.st_size, found.st_mtime)


def _language(tags: list[str]) -> str:
    return next((code for tag in tags if (code := language_of(tag))), "")
