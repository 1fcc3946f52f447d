"""Data sets by name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from centerclip.datasets import SPLITS, load_dataset, training_captions
from centerclip.errors import DatasetError


def test_every_set_has_splits_and_a_reader(tmp_path: Path) -> None:
    for name, splits in SPLITS.items():
        for split in splits:
            with pytest.raises(DatasetError, match=r"holds no|no .*\.jsonl"):
                load_dataset(name, split, annotations=tmp_path, videos=tmp_path)


@pytest.mark.parametrize("name", [name for name in SPLITS if name != "manifest"])
def test_unknown_splits_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="'dev'"):
        load_dataset(name, "dev", annotations=tmp_path, videos=tmp_path)


def test_unknown_set() -> None:
    with pytest.raises(DatasetError, match="there is no data set 'msr-vtt'; there are msrvtt, msvd"):
        load_dataset("msr-vtt", "test")


def test_folders_that_were_not_given(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="msvd needs the folder of its annotations; none is given"):
        load_dataset("msvd", "test", videos=tmp_path)
    with pytest.raises(DatasetError, match="msvd needs the folder of its videos"):
        load_dataset("msvd", "test", annotations=tmp_path)


@pytest.mark.parametrize("below", ["", "activitynet"])
def test_annotations_may_lie_in_a_folder_named_after_the_set(tmp_path: Path, below: str) -> None:
    (tmp_path / below).mkdir(exist_ok=True)
    (tmp_path / below / "train.json").write_text(json.dumps({"v_a": {"sentences": ["Rain."]}}))
    (tmp_path / "v_a.mp4").touch()
    dataset = load_dataset("activitynet", "train", annotations=str(tmp_path), videos=str(tmp_path))
    assert dataset.captions[0].text == "Rain."


def test_manifest_and_toy_world(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "m.csv").write_text("path,caption\na.mp4,a cat\n")
    assert load_dataset("manifest", "all", annotations=tmp_path / "m.csv").videos[0].id == "a.mp4"
    (tmp_path / "test.jsonl").write_text(json.dumps({"id": "a", "video": "a.mp4", "captions": ["a cat"]}))
    assert load_dataset("toy-world", "test", videos=tmp_path).videos[0].id == "a"
    assert load_dataset("toy-world", "test", annotations=tmp_path).videos[0].id == "a"


def test_training_captions_are_those_of_the_split_trained_on_without_any_video(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(
        "path,caption,split\na.mp4,a cat,train\nb.mp4,a dog,train\nc.mp4,a bird,test\n"
    )
    assert training_captions("manifest", "test", annotations=tmp_path / "m.csv") == ["a cat", "a dog"]
    (tmp_path / "train.jsonl").write_text(json.dumps({"id": "a", "video": "a.mp4", "captions": ["rain"]}))
    assert training_captions("toy-world", "test", videos=tmp_path) == ["rain"]
    (tmp_path / "train.json").write_text(json.dumps({"v_a": {"sentences": ["Rain.", "Sun."]}}))
    assert training_captions("activitynet", "val_1", annotations=tmp_path) == ["Rain. Sun."]


@pytest.mark.parametrize(
    ("name", "split"), [("msrvtt", "9k"), ("msrvtt", "7k"), ("msvd", "train"), ("toy-world", "train")]
)
def test_captions_that_are_trained_on_are_no_bank(name: str, split: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"the captions of {name} {split} are trained on"):
        training_captions(name, split, annotations=tmp_path, videos=tmp_path)


def test_training_captions_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="captions of the training split train are needed: "):
        training_captions("toy-world", "test", videos=tmp_path)


def test_naming_data_sets_is_quick() -> None:
    """Readers are known without torch, decoders, Arrow or pydantic."""
    code = (
        "import sys, centerclip.datasets; "
        "print({'torch', 'av', 'pyarrow', 'pydantic', 'PIL', 'transformers'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
