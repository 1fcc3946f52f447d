"""Finding videos by id or path, and missing videos."""

from pathlib import Path

import pytest

from centerclip.datasets import Annotations, Dataset, DatasetSpec
from centerclip.datasets.assembly import assemble
from centerclip.errors import DatasetError
from centerclip.records import Item

SPEC = DatasetSpec("set", lambda place, split: Annotations(place, (), {}))


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def build(folder: Path, captions: dict[str, list[str]], ids: list[str], **options: bool) -> Dataset:
    annotations = Annotations.of_ids(Path("captions.json"), ids, captions)
    return assemble(SPEC, "test", annotations, folder, **options)


def test_files_are_found_by_id_in_any_folder_with_any_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "film/1_00.23.28.886.avi", "-x_1.MP4", "v_a.webm", "v_a.txt", "v_b.json", ".v_b.mp4")
    ids = ["v_a", "1_00.23.28.886", "-x_1", "v_b", "1_00.23.28"]
    found = build(tmp_path, {name: ["a cat"] for name in ids}, ids, allow_missing=True)
    assert {item.id: str(item.path.relative_to(tmp_path)) for item in found.videos} == {
        "v_a": "v_a.webm",
        "1_00.23.28.886": "film/1_00.23.28.886.avi",
        "-x_1": "-x_1.MP4",
    }
    assert found.missing == ("v_b", "1_00.23.28")


@pytest.mark.parametrize("name", ["a.mov", "a.mp4", "a.mov.mp4", "a."])
def test_published_names_and_their_re_encodings(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    listed = Item(Path("a." if name == "a." else "a.mov"), 0.0, 31.0, id="a")
    annotations = Annotations(Path("list"), (listed,), {"a": ["a cat"]}, by_name=True)
    found = assemble(SPEC, "test", annotations, tmp_path)
    assert found.videos == (Item(tmp_path / name, 0.0, 31.0, id="a"),)


def test_two_files_for_one_video_are_an_error_only_if_it_is_needed(tmp_path: Path) -> None:
    touch(tmp_path, "small/a.mp4", "large/a.mp4", "b.mp4")
    captions = {"a": ["a cat"], "b": ["a dog"]}
    assert build(tmp_path, captions, ["b"]).videos[0].id == "b"
    with pytest.raises(DatasetError, match=r"a is found 2 times .*large/a\.mp4.*small/a\.mp4"):
        build(tmp_path, captions, ["a", "b"])
    with pytest.raises(DatasetError, match=r"captions\.json lists b 2 times"):
        build(tmp_path, captions, ["b", "b"])


def test_videos_and_captions_keep_their_order(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    dataset = build(tmp_path, {"a": ["one"], "c": ["other split"], "b": ["two", " three "]}, ["b", "a"])
    assert [video.id for video in dataset.videos] == ["b", "a"]
    assert [(c.text, c.video) for c in dataset.captions] == [("two", 0), ("three", 0), ("one", 1)]
    assert dataset.missing == ()


def test_the_hash_is_of_the_annotations_and_not_of_the_files(tmp_path: Path) -> None:
    captions = {"a": ["one"], "b": ["two"], "of another split": ["three"]}
    touch(tmp_path, "here/a.mp4", "here/b.mp4", "there/a.mp4")
    first = build(tmp_path / "here", captions, ["a", "b"])
    fewer = build(tmp_path / "there", captions, ["a", "b"], allow_missing=True)
    assert first.annotations_hash == fewer.annotations_hash
    assert len(first.annotations_hash) == 16
    for other in ({"a": ["one"], "b": ["two."]}, {"a": ["one"], "b": ["two", "2"]}):
        assert build(tmp_path / "here", other, ["a", "b"]).annotations_hash != first.annotations_hash
    assert build(tmp_path / "here", captions, ["b", "a"]).annotations_hash != first.annotations_hash


def test_missing_videos_are_named_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, "v3.mp4")
    ids = [f"v{i}" for i in range(9)]
    captions = {name: ["a cat"] for name in ids}
    with pytest.raises(DatasetError, match=r"set test: 8 of 9 .*: v0, v1, v2, v4, v5 and 3 more\. Add the"):
        build(tmp_path, captions, ids)
    dataset = build(tmp_path, captions, ids, allow_missing=True)
    assert [video.id for video in dataset.videos] == ["v3"]
    assert [(c.text, c.video) for c in dataset.captions] == [("a cat", 0)]
    assert dataset.missing == ("v0", "v1", "v2", "v4", "v5", "v6", "v7", "v8")


def test_a_listed_video_without_captions_is_missing_too(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(DatasetError, match=r"json has no captions for 1 of the split's 2 videos: a\. Use"):
        build(tmp_path, {"b": ["x"], "a": []}, ["a", "b"])
    assert build(tmp_path, {"b": ["x"]}, ["a", "b"], allow_missing=True).missing == ("a",)


def test_nothing_left_is_an_error_even_if_missing_videos_are_allowed(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"folder not found: .*nowhere\. Give the folder"):
        build(tmp_path / "nowhere", {"a": ["x"]}, ["a"], allow_missing=True)
    with pytest.raises(DatasetError, match="0 videos"):
        build(tmp_path, {"a": ["x"]}, ["a"], allow_missing=True)


def test_an_empty_caption_is_named_and_a_long_one_is_fine(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    long = " ".join(["word"] * 300)
    assert build(tmp_path, {"a": [long]}, ["a"]).captions[0].text == long
    with pytest.raises(DatasetError, match=r"captions\.json: caption 2 of video a is empty.* remove it"):
        build(tmp_path, {"a": ["x", " \t"]}, ["a"])
