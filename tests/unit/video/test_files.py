"""Finding video files and identifying their content."""

import os
from pathlib import Path

import pytest
from hostile_names import forbid

from centerclip.errors import VideoError
from centerclip.video import content_id, find_videos
from centerclip.video.files import refuse_lists


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_folders_are_walked_by_name_and_suffix(tmp_path: Path) -> None:
    wanted = [tmp_path / "a.MP4", tmp_path / "b.mkv", tmp_path / "c" / "d" / "e.webm"]
    touch(*wanted, tmp_path / "notes.txt", tmp_path / ".hidden.mp4", tmp_path / ".trash" / "f.mp4")
    assert list(find_videos([tmp_path])) == wanted


def test_a_file_named_explicitly_needs_no_suffix(tmp_path: Path) -> None:
    touch(tmp_path / "film.bin", tmp_path / ".hidden.mp4")
    named = [tmp_path / "film.bin", tmp_path / ".hidden.mp4"]
    assert list(find_videos(named)) == named


def test_duplicates_are_found_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4")
    found = list(find_videos([tmp_path / "b.mp4", tmp_path, tmp_path / "a.mp4"]))
    assert found == [tmp_path / "b.mp4", tmp_path / "a.mp4"]


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"nowhere: there is no such file or folder"):
        list(find_videos([tmp_path / "nowhere"]))
    with pytest.raises(VideoError, match="can't be read"):
        content_id(tmp_path / "nowhere")


def test_equal_content_has_an_equal_id(tmp_path: Path) -> None:
    first, moved, other = tmp_path / "first", tmp_path / "moved", tmp_path / "other"
    first.write_bytes(b"content")
    moved.write_bytes(b"content")
    other.write_bytes(b"contenu")
    assert content_id(first) == content_id(moved) != content_id(other)
    assert len(content_id(first)) == 32


def test_the_id_of_a_large_file_depends_on_its_size_beginning_middle_and_end(tmp_path: Path) -> None:
    size = 9 << 20
    path = tmp_path / "large"
    path.write_bytes(bytes(size))
    ids = {content_id(path)}
    for place in (0, size // 2, size - 1):
        changed = bytearray(size)
        changed[place] = 1
        path.write_bytes(changed)
        ids.add(content_id(path))
    path.write_bytes(bytes(size - 1))
    assert len(ids | {content_id(path)}) == 5


def test_names_that_cannot_be_opened_are_found_each_once(tmp_path: Path) -> None:
    for name, target in (("a", "b"), ("b", "a"), ("gone", "nowhere"), ("lost", "nowhere")):
        (tmp_path / f"{name}.mp4").symlink_to(tmp_path / f"{target}.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    names = ["a.mp4", "b.mp4", "gone.mp4", "lost.mp4", "pipe.mp4"]
    assert [path.name for path in find_videos([tmp_path])] == names
    assert [path.name for path in find_videos(tmp_path / name for name in names)] == names
    too_long = tmp_path / ("x" * 300)
    assert list(find_videos([too_long])) == [too_long]
    with pytest.raises(VideoError, match="no such file or folder"):
        list(find_videos(["zero\0byte"]))


def test_a_folder_that_cannot_be_listed_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a" / "1.mp4", tmp_path / "b" / "2.mp4")
    forbid(monkeypatch, tmp_path / "a")
    errors: list[OSError] = []
    assert list(find_videos([tmp_path], on_error=errors.append)) == [tmp_path / "b" / "2.mp4"]
    assert [(error.filename, error.strerror) for error in errors] == [
        (str(tmp_path / "a"), "Permission denied")
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd\n", "is a playlist, not a video"),
        (b"\xef\xbb\xbf#EXTM3U\n", "is a playlist, not a video"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is a playlist, not a video"),
        (b'<?xml version="1.0"?>\n<MPD type="static"></MPD>', "is a playlist, not a video"),
        (b"# VobSub index file, v7\n", "is a list of subtitles, not a video"),
    ],
)
def test_files_that_only_name_others_are_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(VideoError, match=f"a.mp4: {reason}"):
        refuse_lists(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + content)
    refuse_lists(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match="can't be read"):
        refuse_lists(tmp_path / "b.mp4")
