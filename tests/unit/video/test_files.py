"""Finding video files and telling contents apart."""

from pathlib import Path

import pytest

from centerclip.errors import VideoError
from centerclip.video import content_id, find_videos


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_folders_are_walked_by_name_and_suffix(tmp_path: Path) -> None:
    wanted = [tmp_path / "a.MP4", tmp_path / "b.mkv", tmp_path / "c" / "d" / "e.webm"]
    touch(*wanted, tmp_path / "notes.txt", tmp_path / ".hidden.mp4", tmp_path / ".trash" / "f.mp4")
    assert list(find_videos([tmp_path])) == wanted


def test_a_file_named_explicitly_counts_whatever_its_name(tmp_path: Path) -> None:
    touch(tmp_path / "film.bin", tmp_path / ".hidden.mp4")
    named = [tmp_path / "film.bin", tmp_path / ".hidden.mp4"]
    assert list(find_videos(named)) == named


def test_what_turns_up_twice_is_given_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4")
    assert list(find_videos([tmp_path / "b.mp4", tmp_path, tmp_path / "a.mp4"])) == [
        tmp_path / "b.mp4",
        tmp_path / "a.mp4",
    ]


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"nowhere: there is no such file or folder"):
        list(find_videos([tmp_path / "nowhere"]))


def test_content_is_told_apart_and_found_again(tmp_path: Path) -> None:
    first, moved, other = tmp_path / "first", tmp_path / "moved", tmp_path / "other"
    first.write_bytes(b"content")
    moved.write_bytes(b"content")
    other.write_bytes(b"contenu")
    assert content_id(first) == content_id(moved) != content_id(other)
    assert len(content_id(first)) == 32


def test_a_large_file_is_told_by_its_size_beginning_middle_and_end(tmp_path: Path) -> None:
    size = 9 << 20
    original = bytearray(size)
    path = tmp_path / "large"
    path.write_bytes(original)
    before = content_id(path)
    for place in (0, size // 2, size - 1):
        changed = bytearray(original)
        changed[place] = 1
        path.write_bytes(changed)
        assert content_id(path) != before
    path.write_bytes(original[:-1])
    assert content_id(path) != before


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="can't be read"):
        content_id(tmp_path / "nowhere")
