"""Each reader on small files in the published layout."""

import json
import pickle
import zipfile
from pathlib import Path

import pytest

from centerclip.datasets import Dataset, load_dataset
from centerclip.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    return tmp_path


def load(folder: Path, name: str, split: str, **options: bool) -> Dataset:
    return load_dataset(name, split, annotations=folder, videos=folder / "videos", **options)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "videos" / name).touch()


def captions_of(dataset: Dataset) -> dict[str, list[str]]:
    return {
        video.id: [caption.text for caption in dataset.captions if caption.video == position]
        for position, video in enumerate(dataset.videos)
    }


def videodatainfo(splits: dict[str, str]) -> dict[str, object]:
    """MSR-VTT's layout: two captions per video, interleaved."""
    videos = [
        {"category": 9, "url": "u", "video_id": name, "start time": 1.5, "split": split, "id": i}
        for i, (name, split) in enumerate(splits.items())
    ]
    sentences = [
        {"caption": f"{name} take {take}", "video_id": name, "sen_id": 0}
        for take in (1, 2)
        for name in splits
    ]
    return {"info": {"version": "1.0"}, "videos": videos, "sentences": sentences}


TRAIN_VAL = {"video0": "train", "video2": "validate", "video1": "train"}
TEST = {"video7": "test", "video8": "test"}


@pytest.fixture(params=["one file", "official archives", "unpacked"])
def msrvtt(folder: Path, request: pytest.FixtureRequest) -> Path:
    touch(folder, *(f"{name}.mp4" for name in TRAIN_VAL | TEST))
    (folder / "MSRVTT_train.7k.csv").write_text("video_id\nvideo2\nvideo0\nvideo1\n")
    (folder / "MSRVTT_train.9k.csv").write_text("video_id\nvideo0\nvideo1\nvideo2\nvideo8\n")
    (folder / "MSRVTT_JSFUSION_test.csv").write_text(
        'key,vid_key,video_id,sentence\nret0,msr7,video7,"a dog, running"\n'
    )
    if request.param == "one file":
        (folder / "MSRVTT_data.json").write_text(json.dumps(videodatainfo(TRAIN_VAL | TEST)))
        return folder
    for archive, member, splits in (
        ("train_val_annotation.zip", "train_val_videodatainfo.json", TRAIN_VAL),
        ("test_videodatainfo.json.zip", "test_videodatainfo.json", TEST),
    ):
        if request.param == "unpacked":
            (folder / member).write_text(json.dumps(videodatainfo(splits)))
        else:
            with zipfile.ZipFile(folder / archive, "w") as file:
                file.writestr("readme.txt", "")
                file.writestr(member, json.dumps(videodatainfo(splits)))
    return folder


@pytest.mark.parametrize(
    ("split", "ids"),
    [
        ("7k", ["video2", "video0", "video1"]),
        ("9k", ["video0", "video1", "video2", "video8"]),
        ("train", ["video0", "video1"]),
        ("val", ["video2"]),
        ("test", ["video7", "video8"]),
    ],
)
def test_msrvtt(msrvtt: Path, split: str, ids: list[str]) -> None:
    dataset = load(msrvtt, "msrvtt", split)
    assert captions_of(dataset) == {name: [f"{name} take 1", f"{name} take 2"] for name in ids}
    assert [video.id for video in dataset.videos] == ids
    assert (dataset.name, dataset.split, dataset.frames, dataset.max_text_tokens) == ("msrvtt", split, 12, 32)
    assert dataset.protocols == ("caption",)


def test_msrvtt_1ka_needs_only_its_csv(folder: Path) -> None:
    touch(folder, "video7.mp4")
    path = folder / "MSRVTT_JSFUSION_test.csv"
    path.write_text('key,vid_key,video_id,sentence\nret0,msr7,video7,"a dog, running"\n')
    assert captions_of(load(folder, "msrvtt", "1k-A")) == {"video7": ["a dog, running"]}
    path.write_text("key,vid_key,video_id\nret0,msr7,video7\n")
    with pytest.raises(DatasetError, match=r"JSFUSION_test\.csv has no column sentence"):
        load(folder, "msrvtt", "1k-A")


def test_msrvtt_7k_does_not_need_the_test_annotations(folder: Path) -> None:
    touch(folder, "video0.mp4")
    (folder / "MSRVTT_train.7k.csv").write_text("video_id\nvideo0\n")
    (folder / "train_val_videodatainfo.json").write_text(json.dumps(videodatainfo(TRAIN_VAL)))
    assert list(captions_of(load(folder, "msrvtt", "7k"))) == ["video0"]
    (folder / "MSRVTT_train.9k.csv").write_text("video_id\nvideo0\n")
    with pytest.raises(DatasetError, match=r"has no MSRVTT_data\.json or test_videodatainfo\.json"):
        load(folder, "msrvtt", "9k")


@pytest.mark.parametrize("form", ["json", "pickle"])
def test_msvd(folder: Path, form: str) -> None:
    touch(folder, "-4ws_5_15.avi", "b_1_2.avi", "c_1_2.avi")
    captions = {"-4ws_5_15": ["a squirrel eats", "it eats"], "b_1_2": ["a man"], "c_1_2": ["rain"]}
    if form == "json":
        (folder / "captions_msvd.json").write_text(json.dumps(captions))
    else:
        words = {name: [caption.split() for caption in texts] for name, texts in captions.items()}
        (folder / "raw-captions.pkl").write_bytes(pickle.dumps(words, protocol=2))
    (folder / "train_list.txt").write_text("b_1_2\n-4ws_5_15")
    (folder / "test_list.txt").write_text("c_1_2\n")
    train, test = load(folder, "msvd", "train"), load(folder, "msvd", "test")
    assert captions_of(train) == {"b_1_2": ["a man"], "-4ws_5_15": ["a squirrel eats", "it eats"]}
    assert captions_of(test) == {"c_1_2": ["rain"]}
    assert (train.frames, train.max_text_tokens, train.protocols) == (12, 32, ("caption", "group"))


def test_lsmdc(folder: Path) -> None:
    first, second = "3086_UGLY_TRUTH_00.23.23.000-00.23.28.886", "1004_Juno_00.32.58.318-00.33.02.110"
    times = "00.23.23.000\t00.23.28.886\t00.23.23.000\t00.23.28.886"
    lines = [f'{first}\t{times}\tSOMEONE says "no.', f"{second}\t{times}\tShe stands, hands on hips.\r"]
    path = folder / "LSMDC16_challenge_1000_publictect.csv"
    path.write_text("\n".join(lines) + "\n", newline="")
    (folder / "videos" / "1004_Juno").mkdir()
    touch(folder, f"{first}.avi", f"1004_Juno/{second}.avi")
    dataset = load(folder, "lsmdc", "test")
    assert captions_of(dataset) == {first: ['SOMEONE says "no.'], second: ["She stands, hands on hips."]}
    assert (dataset.frames, dataset.max_text_tokens) == (12, 32)
    path.write_text("\n".join([*lines, "clip\tsentence"]))
    with pytest.raises(DatasetError, match=r"publictect\.csv, line 3: 2 values between tabs"):
        load(folder, "lsmdc", "test")
    with pytest.raises(DatasetError, match=r"has no LSMDC16_annos_training\.csv"):
        load(folder, "lsmdc", "train")


def test_activitynet_joins_sentences(folder: Path) -> None:
    touch(folder, "v_a.mp4", "v_b.mkv")
    stories = {
        "v_b": {"duration": 82.7, "sentences": ["She dances.", " ", " She ends. "]},
        "v_a": {"duration": 3.0, "sentences": ["Rain."]},
    }
    (folder / "val_1.json").write_text(json.dumps(stories))
    dataset = load(folder, "activitynet", "val_1")
    assert captions_of(dataset) == {"v_b": ["She dances. She ends."], "v_a": ["Rain."]}
    assert (dataset.frames, dataset.max_text_tokens) == (60, 77)
    stories["v_a"]["sentences"] = [" "]
    (folder / "val_1.json").write_text(json.dumps(stories))
    with pytest.raises(DatasetError, match=r"val_1\.json: caption 1 of video v_a is empty"):
        load(folder, "activitynet", "val_1")


def test_didemo_from_the_original_json(folder: Path) -> None:
    touch(folder, "1@N08_2.5_a.mov", "1@N03_7_b.")
    moments = [
        {"description": "a bug ", "video": "1@N08_2.5_a.mov", "times": [[1, 1]], "annotation_id": 3},
        {"description": "snow", "video": "1@N03_7_b.", "times": [[0, 0]], "annotation_id": 4},
        {"description": "not listed", "video": "1@N03_8_c.avi", "times": [[0, 0]], "annotation_id": 5},
        {"description": "a foot", "video": "1@N08_2.5_a.mov", "times": [[2, 2]], "annotation_id": 6},
    ]
    (folder / "val_data.json").write_text(json.dumps(moments))
    (folder / "val_list.txt").write_text("1@N03_7_b.\n1@N08_2.5_a.mov\n")
    dataset = load(folder, "didemo", "val")
    assert captions_of(dataset) == {"1@N03_7_b": ["snow"], "1@N08_2.5_a": ["a bug a foot"]}
    assert (dataset.frames, dataset.max_text_tokens) == (60, 77)
    assert {(v.start_seconds, v.end_seconds) for v in dataset.videos} == {(0.0, 31.0)}


def test_didemo_from_the_label_file(folder: Path) -> None:
    touch(folder, "a.mp4", "b.mp4")
    (folder / "didemo_train_label.csv").write_text(
        "success,video_path,starts,ends,text,formatted_data\n"
        "True,/somewhere/all_videos/a.mov,tensor([[0]]),tensor([[31]]),a bug a foot,/somewhere/0.pth\n"
    )
    (folder / "train_list.txt").write_text("a.mov\nb.avi\n")
    with pytest.raises(DatasetError, match=r"label\.csv has no captions for 1 of the split's 2 videos: b\."):
        load(folder, "didemo", "train")
    dataset = load(folder, "didemo", "train", allow_missing=True)
    assert captions_of(dataset) == {"a": ["a bug a foot"]}
    assert dataset.missing == ("b",)
