"""Readers on the published files have the published counts. Needs CENTERCLIP_ANNOTATIONS.

Empty files stand for the videos, because readers don't open them.
"""

import json
import os
from functools import partial
from pathlib import Path

import pytest

from centerclip.datasets import load_dataset
from centerclip.errors import DatasetError

FOLDER = os.environ.get("CENTERCLIP_ANNOTATIONS")
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="CENTERCLIP_ANNOTATIONS names no folder of published annotation files"
)

COUNTS = [  # set, split, videos, captions
    ("msrvtt", "9k", 9000, 180_000),
    ("msrvtt", "7k", 7010, 140_200),
    ("msrvtt", "1k-A", 1000, 1000),
    ("msrvtt", "train", 6513, 130_260),
    ("msrvtt", "val", 497, 9940),
    ("msrvtt", "test", 2990, 59_800),
    ("msvd", "train", 1200, 48_774),
    ("msvd", "val", 100, 4290),
    ("msvd", "test", 670, 27_763),
    ("lsmdc", "test", 1000, 1000),
    ("activitynet", "train", 10_009, 10_009),
    ("activitynet", "val_1", 4917, 4917),
    ("didemo", "val", 1065, 1065),
    ("didemo", "test", 1004, 1004),
]


def file_names(name: str) -> list[str]:
    """Names of all video files of a set, without using the readers."""
    folder = Path(FOLDER or "") / name
    lists = [line for path in folder.glob("*_list.txt") for line in path.read_text().split()]
    if name == "msrvtt":
        return [f"video{number}.mp4" for number in range(10_000)]
    if name == "lsmdc":
        return [f"{line.split()[0]}.avi" for line in next(folder.glob("*.csv")).read_text().splitlines()]
    return lists if name == "didemo" else [f"{line}.mp4" for line in lists]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for name in {row[0] for row in COUNTS}:
        (root / name).mkdir()
        for file_name in file_names(name):
            (root / name / file_name).touch()
    return root


@pytest.mark.parametrize(("name", "split", "count", "captions"), COUNTS)
def test_counts(videos: Path, name: str, split: str, count: int, captions: int) -> None:
    dataset = load_dataset(name, split, annotations=FOLDER, videos=videos / name)
    assert (len(dataset.videos), len(dataset.captions)) == (count, captions)
    assert dataset.missing == ()
    assert len({video.path for video in dataset.videos}) == count


def test_didemo_train_without_the_original_json(videos: Path) -> None:
    read = partial(load_dataset, "didemo", "train", annotations=FOLDER, videos=videos / "didemo")
    if (Path(FOLDER or "") / "didemo" / "train_data.json").exists():
        assert len(read().videos) == 8392
        return
    with pytest.raises(DatasetError, match="no captions for 30 of the split's 8392 videos"):
        read()
    dataset = read(allow_missing=True)
    assert (len(dataset.videos), len(dataset.missing)) == (8362, 30)


def test_activitynet_lists_agree(videos: Path) -> None:
    for split in ("train", "val_1"):
        dataset = load_dataset("activitynet", split, annotations=FOLDER, videos=videos / "activitynet")
        listed = (Path(FOLDER or "") / "activitynet" / f"{split}_list.txt").read_text().split()
        assert [video.id for video in dataset.videos] == listed
        stories = json.loads((Path(FOLDER or "") / "activitynet" / f"{split}.json").read_text())
        spoken = " ".join(stories[listed[0]]["sentences"]).split()
        assert dataset.captions[0].text.split() == spoken
