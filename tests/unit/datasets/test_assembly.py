"""Finding videos by id, and what happens to those that are not there."""

from pathlib import Path

import pytest

from centerclip.datasets.assembly import Protocol, assemble, check_split, find_videos_by_id
from centerclip.datasets.dataset import Dataset
from centerclip.errors import DatasetError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def build(
    folder: Path, captions: dict[str, list[str]], ids: list[str], *, allow_missing: bool = False
) -> Dataset:
    items = find_videos_by_id(folder, ids)
    return assemble(
        Protocol("set"), "test", items, captions,
        source=Path("captions.json"), videos=folder, allow_missing=allow_missing,
    )  # fmt: skip


def test_files_are_found_by_id_in_any_folder_with_any_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "film/1_00.23.28.886.avi", "-x_1.MP4", "v_a.webm", "v_a.txt", "v_b.json", ".v_b.mp4")
    found = find_videos_by_id(tmp_path, ["v_a", "1_00.23.28.886", "-x_1", "v_b", "1_00.23.28"])
    paths = {name: item and str(item.path.relative_to(tmp_path)) for name, item in found.items()}
    assert paths == {
        "v_a": "v_a.webm",
        "1_00.23.28.886": "film/1_00.23.28.886.avi",
        "-x_1": "-x_1.MP4",
        "v_b": None,
        "1_00.23.28": None,
    }


@pytest.mark.parametrize("name", ["a.mov", "a.mp4", "a.mov.mp4", "a."])
def test_published_names_and_their_re_encodings(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    published = {"a": "a." if name == "a." else "a.mov"}
    found = find_videos_by_id(tmp_path, ["a"], file_names=published)["a"]
    assert found is not None
    assert found.path == tmp_path / name


def test_one_id_in_two_files_is_an_error_only_where_it_matters(tmp_path: Path) -> None:
    touch(tmp_path, "small/a.mp4", "large/a.mp4", "b.mp4")
    assert find_videos_by_id(tmp_path, ["b"])["b"] is not None
    with pytest.raises(DatasetError, match=r"a is found 2 times .*large/a\.mp4.*small/a\.mp4"):
        find_videos_by_id(tmp_path, ["a", "b"])


def test_no_folder_of_videos(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder; name the one that holds the videos"):
        find_videos_by_id(tmp_path / "nowhere", ["a"])


def test_videos_and_captions_keep_their_order(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    dataset = build(tmp_path, {"a": ["one"], "c": ["other split"], "b": ["two", " three "]}, ["b", "a"])
    assert [video.id for video in dataset.videos] == ["b", "a"]
    assert [(c.text, c.video) for c in dataset.captions] == [("two", 0), ("three", 0), ("one", 1)]
    assert dataset.missing == ()


def test_missing_videos_are_named_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, "v3.mp4")
    ids = [f"v{i}" for i in range(9)]
    captions = {name: ["a cat"] for name in ids}
    message = (
        r"set test: 8 of 9 videos are not in .*: v0, v1, v2, v4, v5 and 3 more\. Add the files, or allow"
    )
    with pytest.raises(DatasetError, match=message):
        build(tmp_path, captions, ids)
    dataset = build(tmp_path, captions, ids, allow_missing=True)
    assert [video.id for video in dataset.videos] == ["v3"]
    assert [(c.text, c.video) for c in dataset.captions] == [("a cat", 0)]
    assert dataset.missing == ("v0", "v1", "v2", "v4", "v5", "v6", "v7", "v8")


def test_a_listed_video_without_captions_is_missing_too(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(DatasetError, match=r"captions\.json has no captions for 1 of 2 videos .*: a\. Take"):
        build(tmp_path, {"b": ["x"], "a": []}, ["a", "b"])
    assert build(tmp_path, {"b": ["x"]}, ["a", "b"], allow_missing=True).missing == ("a",)


def test_nothing_left_is_an_error_even_if_missing_videos_are_allowed(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="0 videos"):
        build(tmp_path, {"a": ["x"]}, ["a"], allow_missing=True)


def test_an_empty_caption_is_named_and_a_long_one_is_fine(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    long = " ".join(["word"] * 300)
    assert build(tmp_path, {"a": [long]}, ["a"]).captions[0].text == long
    with pytest.raises(DatasetError, match=r"captions\.json: caption 2 of video a is empty.* remove it"):
        build(tmp_path, {"a": ["x", " \t"]}, ["a"])


def test_unknown_split() -> None:
    with pytest.raises(DatasetError, match="msvd has no split 'dev'; it has train, val"):
        check_split("msvd", "dev", ("train", "val"))
