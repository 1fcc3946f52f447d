"""Data sets by name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from centerclip.datasets import DATASETS, find_dataset, load_dataset, training_captions
from centerclip.datasets.load import describe_splits
from centerclip.errors import ConfigError, DatasetError


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "manifest"])
def test_every_split_can_be_read_and_is_in_help_texts(tmp_path: Path, name: str) -> None:
    for split in DATASETS[name].splits:
        with pytest.raises(DatasetError, match=r"has no|not found: .*jsonl\. Render it"):
            load_dataset(name, split, annotations=tmp_path, videos=tmp_path)
    known = ", ".join(DATASETS[name].splits)
    assert f"{name}: {known};" in describe_splits()
    with pytest.raises(DatasetError, match=f"{name} has no split 'dev'; its splits are {known}"):
        load_dataset(name, "dev", annotations=tmp_path, videos=tmp_path)


def test_missing_folders(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="msvd needs the folder of its videos and that of its annot"):
        load_dataset("msvd", "test")
    with pytest.raises(DatasetError, match=r"has no test_list\.txt: put .*give its folder as annotations"):
        load_dataset("msvd", "test", videos=tmp_path)


@pytest.mark.parametrize("below", ["", "activitynet"])
@pytest.mark.parametrize("videos", [True, False])
def test_annotations_may_be_in_a_folder_named_after_the_set_or_with_the_videos(
    tmp_path: Path, below: str, videos: bool
) -> None:
    place = tmp_path / below
    place.mkdir(exist_ok=True)
    (place / "val_1.json").write_text(json.dumps({"v_a": {"sentences": ["Rain."]}}))
    (place / "v_a.mp4").touch()
    given = "videos" if videos else "annotations"
    dataset = load_dataset("activitynet", **{given: str(tmp_path)})  # type: ignore[arg-type]
    assert (dataset.split, dataset.captions[0].text) == ("val_1", "Rain.")


MODULE = """
from pathlib import Path
from centerclip.datasets import Annotations, DatasetSpec
from centerclip.records import Item

def read(folder, split):
    return Annotations(folder, (Item(Path(f"{split}.mp4"), id="v"),), {"v": ["a cat", "it naps"]})

MINE = DatasetSpec("mine", read, splits=("dev", "train"), frames=24, max_text_tokens=50)
"""


def test_a_custom_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_sets.py").write_text(MODULE)
    (tmp_path / "dev.mp4").touch()
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    dataset = load_dataset("own_sets:MINE", videos=tmp_path)
    assert (dataset.name, dataset.split, dataset.frames, dataset.max_text_tokens) == ("mine", "dev", 24, 50)
    assert dataset.videos[0].path == tmp_path / "dev.mp4"
    assert training_captions("own_sets:MINE", "dev", videos=tmp_path) == ["a cat", "it naps"]
    assert load_dataset(find_dataset("own_sets:MINE"), videos=tmp_path) == dataset
    for name, message in (
        ("msr-vtt", "unknown data set 'msr-vtt': choose one of msrvtt, .*, or name your own module:object"),
        ("nowhere:MINE", r"nowhere:MINE can't be imported \(ModuleNotFoundError: .*\): install it"),
        ("own_sets:YOURS", "has no attribute 'YOURS'"),
        (":MINE", "can't be imported"),
        ("own_sets:read", "is a function; it must be a centerclip.datasets.DatasetSpec"),
        ("own_sets:MINE", "mine has no split 'test'; its splits are dev, train"),
    ):
        with pytest.raises((ConfigError, DatasetError), match=message):
            load_dataset(name, "test", videos=tmp_path)


def test_the_toy_world(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    line = json.dumps({"id": "a", "video": "a.mp4", "captions": ["a cat"]})
    (tmp_path / "test.jsonl").write_text(line)
    assert load_dataset("toy-world", videos=tmp_path).videos[0].id == "a"
    (tmp_path / "test.jsonl").write_text(f"{line}\n[]\n")
    with pytest.raises(DatasetError, match=r"test\.jsonl, line 2: not a line of the toy .*render it again"):
        load_dataset("toy-world", videos=tmp_path)


def test_training_captions_need_no_videos(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(
        "path,caption,split\na.mp4,a cat,train\nb.mp4,a dog,train\nc.mp4,a bird,test\n"
    )
    assert training_captions("manifest", "test", annotations=tmp_path / "m.csv") == ["a cat", "a dog"]
    (tmp_path / "train.json").write_text(json.dumps({"v_a": {"sentences": ["Rain.", "Sun."]}}))
    assert training_captions("activitynet", "val_1", annotations=tmp_path) == ["Rain. Sun."]
    with pytest.raises(DatasetError, match="captions of training split '9k' are needed: "):
        training_captions("msrvtt", "1k-A", annotations=tmp_path)


@pytest.mark.parametrize(
    ("name", "split"), [("msrvtt", "9k"), ("msrvtt", "7k"), ("msvd", "train"), ("manifest", "all")]
)
def test_a_training_split_has_no_training_captions(name: str, split: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"no training captions for {name} {split}: its training splits"):
        training_captions(name, split, annotations=tmp_path)


def test_the_table_is_light_to_import() -> None:
    """Help texts are made from the table, so it must not import heavy packages."""
    code = (
        "import sys, centerclip.datasets; "
        "print({'numpy', 'torch', 'av', 'pyarrow', 'pydantic', 'PIL', 'transformers'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
