"""DiDeMo (Hendricks et al., ICCV 2017): personal videos, several moments of each described."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from centerclip.datasets.annotations import find_annotation, read_ids, read_json, read_rows
from centerclip.datasets.assembly import Protocol, assemble, check_split, find_videos_by_id
from centerclip.datasets.dataset import Dataset

__all__ = ["SPLITS", "didemo"]

PROTOCOL = Protocol("didemo", frames=60, words=77)
SPLITS = ("train", "val", "test")
"""8,392, 1,065 and 1,004 videos."""

_END_SECONDS = 31.0
"""Only the first six pieces of five seconds were described; the published labels end at 31."""


@dataclass(frozen=True)
class _Moment:
    video: str
    description: str


def didemo(annotations: Path, videos: Path | None, split: str, *, allow_missing: bool = False) -> Dataset:
    """Read a split of DiDeMo; paragraph to video.

    Args:
        annotations: folder with the list `{split}_list.txt`, and the descriptions as the original
            `{split}_data.json` or as `didemo_{split}_label.csv`. The label file of the training split
            lacks 30 of the listed videos, and that of val 3: those count as missing.
        videos: folder with the files, as named in the list or re-encoded with another suffix; None for the
            captions alone.
        split: one of `SPLITS`.
        allow_missing: go on without videos that are not there or not described.

    Returns:
        60 frames of the first 31 seconds, 77 words; one caption a video, its descriptions joined.

    Raises:
        DatasetError: a file is missing or malformed.
    """
    check_split(PROTOCOL.name, split, SPLITS)
    # By stem: some published names end in a bare dot, and re-encoding changes the suffix.
    listed = {_stem(name): name for name in read_ids(find_annotation(annotations, f"{split}_list.txt"))}
    source = find_annotation(annotations, f"{split}_data.json", f"didemo_{split}_label.csv")
    descriptions: dict[str, list[str]] = defaultdict(list)
    if source.suffix == ".json":
        for moment in read_json(source, list[_Moment]):
            descriptions[_stem(moment.video)].append(moment.description.strip())
    else:
        for _, row in read_rows(source, ["video_path", "text"]):
            descriptions[_stem(PurePosixPath(row["video_path"]).name)].append(row["text"].strip())
    captions = {name: [" ".join(filter(None, told))] for name, told in descriptions.items()}
    items = {
        name: item and replace(item, start_seconds=0.0, end_seconds=_END_SECONDS)
        for name, item in find_videos_by_id(videos, listed, file_names=listed).items()
    }
    return assemble(
        PROTOCOL, split, items, captions, source=source, videos=videos, allow_missing=allow_missing
    )


def _stem(name: str) -> str:
    return name.rpartition(".")[0]
