"""MSR-VTT (Xu et al., CVPR 2016): 10,000 web videos with 20 captions each.

Splits: `1k-A` is the usual test set of 1,000 videos with one caption each, `9k` and `7k` its training sets.
`train`, `val`, `test` are the official 6,513, 497 and 2,990 videos. 7k is train and val together. 9k adds the
1,990 test videos outside 1k-A, so after training on 9k, no official split is left to choose a model for 1k-A.
Annotations: `MSRVTT_data.json`, or the official `train_val_annotation.zip` and `test_videodatainfo.json.zip`
or the files in them; for `9k` and `7k` also `MSRVTT_train.9k.csv` and `.7k.csv`; for `1k-A` only
`MSRVTT_JSFUSION_test.csv`.
Videos: `video0.mp4` and so on.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from centerclip.datasets.annotations import each_once, find_annotation, read_json, read_rows
from centerclip.datasets.spec import Annotations, DatasetSpec

__all__ = ["DATASET"]

_LISTS = {"9k": "MSRVTT_train.9k.csv", "7k": "MSRVTT_train.7k.csv"}
_OFFICIAL = {"test": "test", "val": "validate", "train": "train"}
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
class _File:
    videos: list[_Video]
    sentences: list[_Sentence]


def _read(folder: Path, split: str) -> Annotations:
    captions: dict[str, list[str]] = defaultdict(list)
    if split == "1k-A":
        source = find_annotation(folder, "MSRVTT_JSFUSION_test.csv")
        for _, row in read_rows(source, ["video_id", "sentence"]):
            captions[row["video_id"]].append(row["sentence"])
        return Annotations.of_ids(source, captions, captions)
    # 7k is within the official train and val; only 9k and test need the test annotations.
    parts = {"9k": (_TRAIN_VAL, _TEST), "test": (_TEST,)}.get(split, (_TRAIN_VAL,))
    source, content = _read_file(folder, parts)
    for sentence in content.sentences:
        captions[sentence.video_id].append(sentence.caption)
    if split in _OFFICIAL:
        ids = [video.video_id for video in content.videos if video.split == _OFFICIAL[split]]
    else:
        listed = find_annotation(folder, _LISTS[split])
        ids = each_once(listed, [row["video_id"] for _, row in read_rows(listed, ["video_id"])])
    return Annotations.of_ids(source, ids, captions)


def _read_file(folder: Path, parts: tuple[tuple[str, ...], ...]) -> tuple[Path, _File]:
    """Read the annotations of all videos from one file, or from the official parts."""
    if (folder / _WHOLE).is_file():
        return folder / _WHOLE, read_json(folder / _WHOLE, _File)
    paths = [find_annotation(folder, _WHOLE, *names) for names in parts]
    contents = [read_json(path, _File) for path in paths]
    return paths[0] if len(paths) == 1 else folder, _File(
        [video for content in contents for video in content.videos],
        [sentence for content in contents for sentence in content.sentences],
    )


DATASET = DatasetSpec(
    "msrvtt",
    _read,
    splits=("1k-A", *_OFFICIAL, *_LISTS),
    reported_splits=("1k-A", "test"),
    training_splits=("train", *_LISTS),
    training_split_for={"1k-A": "9k"},
    frames=12,
)
