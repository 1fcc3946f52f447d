"""From ids, captions and a folder of videos to a `Dataset`: what all readers have in common.

Owns the search for video files and the rule for what is missing: an error that names it, or, where
the caller allows it, a smaller data set that says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from centerclip.datasets.dataset import Caption, Dataset, VideoItem
from centerclip.errors import DatasetError

__all__ = ["Protocol", "assemble", "check_split", "find_videos_by_id"]

_SHOWN = 5
"""How many missing videos a message names."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the field evaluates a set: frames a video, tokens a caption, ways to rank video-to-text."""

    name: str
    frames: int = 12
    words: int = 32
    video_to_text: tuple[str, ...] = ("caption",)


def check_split(name: str, split: str, splits: Iterable[str]) -> None:
    """Raise DatasetError if a set has no such split."""
    if split not in splits:
        raise DatasetError(f"{name} has no split {split!r}; it has {', '.join(splits)}")


def find_videos_by_id(
    folder: Path | None, ids: Iterable[str], *, file_names: Mapping[str, str] | None = None
) -> dict[str, VideoItem | None]:
    """Look in a folder and those below it for each id's file, `id` + any suffix of videos.

    Args:
        folder: of the videos; None to look for none, and name items by their ids alone.
        ids: in the order of the gallery.
        file_names: the published names of files where they are not `id` + suffix; a file of that
            name counts whatever its suffix, and so does one re-encoded to `name` + suffix.

    Returns:
        The items in the order of `ids`; None where no file is found.

    Raises:
        DatasetError: no such folder, or two files for one id.
    """
    if folder is None:
        return {name: VideoItem(name, Path(name)) for name in ids}
    # The package of videos brings decoders and tensors; those who only name data sets need neither.
    from centerclip.video.files import find_videos

    if not folder.is_dir():
        raise DatasetError(f"{folder}: there is no such folder; name the one that holds the videos")
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in find_videos([folder]):
        by_stem[path.stem].append(path)

    def find(name: str) -> VideoItem | None:
        published = (file_names or {}).get(name, name)
        paths = by_stem.get(name) or by_stem.get(published) or []
        if not paths and (folder / published).is_file():
            paths = [folder / published]
        if len(paths) > 1:
            raise DatasetError(
                f"{name} is found {len(paths)} times under {folder}: {paths[0]}, {paths[1]}; "
                "name a folder that holds each video once"
            )
        return VideoItem(name, paths[0]) if paths else None

    return {name: find(name) for name in ids}


def assemble(
    protocol: Protocol,
    split: str,
    items: Mapping[str, VideoItem | None],
    captions: Mapping[str, Sequence[str]],
    *,
    source: Path,
    videos: Path | None,
    allow_missing: bool = False,
) -> Dataset:
    """Put a split together.

    Args:
        protocol: the set's.
        split: its name.
        items: the gallery in order, by id; None for a video whose file was not found.
        captions: by id; may hold more videos than the split.
        source: the file of the captions, for messages.
        videos: the folder in which files were looked for, for messages.
        allow_missing: leave out videos without a file or without captions, and list them in
            `Dataset.missing`.

    Raises:
        DatasetError: an empty caption; a video without file or captions, unless allowed; nothing left.
    """
    unfound = [name for name, item in items.items() if item is None]
    untold = [name for name in items if not captions.get(name)]
    if unfound and not allow_missing:
        raise DatasetError(
            f"{protocol.name} {split}: {len(unfound)} of {len(items)} videos are not in {videos}: "
            f"{_some(unfound)}. Add the files, or allow missing videos to go on without them"
        )
    if untold and not allow_missing:
        raise DatasetError(
            f"{protocol.name} {split}: {source} has no captions for {len(untold)} of {len(items)} videos "
            f"that the split names: {_some(untold)}. Take the split and the captions from the same "
            "release, or allow missing videos to go on without these"
        )
    left_out = {*unfound, *untold}
    kept = [item for name, item in items.items() if item is not None and name not in left_out]
    texts = []
    for position, item in enumerate(kept):
        for number, text in enumerate(captions[item.id], start=1):
            if not text.strip():
                raise DatasetError(
                    f"{source}: caption {number} of video {item.id} is empty; a caption needs a word at "
                    "least. Correct it or remove it"
                )
            texts.append(Caption(text.strip(), position))
    return Dataset(
        name=protocol.name,
        split=split,
        videos=tuple(kept),
        captions=tuple(texts),
        frames=protocol.frames,
        words=protocol.words,
        missing=tuple(name for name in items if name in left_out),
        protocols=protocol.video_to_text,
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
