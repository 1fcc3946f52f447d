"""MSR-VTT (Xu et al., CVPR 2016): 10,000 web videos with 20 captions each, in three customary splits."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from centerclip.datasets.annotations import each_once, find_annotation, read_json, read_rows
from centerclip.datasets.assembly import Protocol, assemble, check_split, find_videos_by_id
from centerclip.datasets.dataset import Dataset

__all__ = ["SPLITS", "msrvtt"]

PROTOCOL = Protocol("msrvtt")
_LISTS = {"9k": "MSRVTT_train.9k.csv", "7k": "MSRVTT_train.7k.csv"}
_OFFICIAL = {"train": "train", "val": "validate", "test": "test"}
SPLITS = (*_LISTS, "1k-A", *_OFFICIAL)
"""`9k`, `7k` to train for the test set `1k-A`; `train`, `val`, `test`: the official 6,513, 497, 2,990."""

_WHOLE = "MSRVTT_data.json"
_TRAIN_VAL = ("train_val_videodatainfo.json", "train_val_annotation.zip")
_TEST = ("test_videodatainfo.json", "test_videodatainfo.json.zip")


@dataclass(frozen=True)
class _Video:
    video_id: str
    split: str


@dataclass(frozen=True)
class _Sentence:
    video_id: str
    caption: str


@dataclass(frozen=True)
class _Annotations:
    videos: list[_Video]
    sentences: list[_Sentence]


def msrvtt(annotations: Path, videos: Path | None, split: str, *, allow_missing: bool = False) -> Dataset:
    """Read a split of MSR-VTT.

    Args:
        annotations: folder with `MSRVTT_data.json`, or the official `train_val_annotation.zip` and
            `test_videodatainfo.json.zip` or the files in them; `MSRVTT_train.9k.csv` and `.7k.csv` for
            those splits; for `1k-A`, `MSRVTT_JSFUSION_test.csv` alone.
        videos: folder with `video0.mp4` and so on; None for the captions alone.
        split: one of `SPLITS`. 7k is the official train and val together, 9k adds the 1,990 official
            test videos outside 1k-A: to choose a model without 1k-A, train on `train`, not on these.
        allow_missing: go on without videos that are not there.

    Returns:
        12 frames, 32 words; one caption a video in 1k-A, every caption otherwise.

    Raises:
        DatasetError: a file is missing or malformed.
    """
    check_split(PROTOCOL.name, split, SPLITS)
    captions: dict[str, list[str]] = defaultdict(list)
    if split == "1k-A":
        source = find_annotation(annotations, "MSRVTT_JSFUSION_test.csv")
        for _, row in read_rows(source, ["video_id", "sentence"]):
            captions[row["video_id"]].append(row["sentence"])
        ids = list(captions)
    else:
        # 7k is within the official train and val; only the others need the test annotations.
        parts = {"7k": (_TRAIN_VAL,), "9k": (_TRAIN_VAL, _TEST), "test": (_TEST,)}.get(split, (_TRAIN_VAL,))
        source, content = _read(annotations, parts)
        for sentence in content.sentences:
            captions[sentence.video_id].append(sentence.caption)
        if split in _OFFICIAL:
            ids = [video.video_id for video in content.videos if video.split == _OFFICIAL[split]]
        else:
            listed = find_annotation(annotations, _LISTS[split])
            ids = each_once(listed, [row["video_id"] for _, row in read_rows(listed, ["video_id"])])
    items = find_videos_by_id(videos, ids)
    return assemble(
        PROTOCOL, split, items, captions, source=source, videos=videos, allow_missing=allow_missing
    )


def _read(folder: Path, parts: tuple[tuple[str, ...], ...]) -> tuple[Path, _Annotations]:
    """The annotations of all videos from the one file, or else from the official parts."""
    if (folder / _WHOLE).is_file():
        return folder / _WHOLE, read_json(folder / _WHOLE, _Annotations)
    paths = [find_annotation(folder, _WHOLE, *names) for names in parts]
    contents = [read_json(path, _Annotations) for path in paths]
    return paths[0] if len(paths) == 1 else folder, _Annotations(
        [video for content in contents for video in content.videos],
        [sentence for content in contents for sentence in content.sentences],
    )
