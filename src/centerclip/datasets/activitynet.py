"""ActivityNet Captions (Krishna et al., ICCV 2017): long videos, each told in several sentences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from centerclip.datasets.annotations import find_annotation, read_json
from centerclip.datasets.assembly import Protocol, assemble, check_split, find_videos_by_id
from centerclip.datasets.dataset import Dataset

__all__ = ["SPLITS", "activitynet"]

PROTOCOL = Protocol("activitynet", frames=60, words=77)
SPLITS = ("train", "val_1", "val_2")
"""10,009 videos to train; 4,917 of `val_1`, on which the field reports; `val_2` retells them."""


@dataclass(frozen=True)
class _Story:
    sentences: list[str]


def activitynet(
    annotations: Path, videos: Path | None, split: str, *, allow_missing: bool = False
) -> Dataset:
    """Read a split of ActivityNet Captions; paragraph to video.

    Args:
        annotations: folder with `train.json` or `val_1.json`: id to `{duration, timestamps, sentences}`.
        videos: folder with `v_QOlSCBRmfWY.mp4` and so on; None for the captions alone.
        split: one of `SPLITS`.
        allow_missing: go on without videos that are not there.

    Returns:
        60 frames, 77 words; one caption a video, its sentences joined in their order.

    Raises:
        DatasetError: a file is missing or malformed.
    """
    check_split(PROTOCOL.name, split, SPLITS)
    source = find_annotation(annotations, f"{split}.json")
    stories = read_json(source, dict[str, _Story])
    captions = {
        name: [" ".join(sentence.strip() for sentence in story.sentences if sentence.strip())]
        for name, story in stories.items()
    }
    items = find_videos_by_id(videos, captions)
    return assemble(
        PROTOCOL, split, items, captions, source=source, videos=videos, allow_missing=allow_missing
    )
