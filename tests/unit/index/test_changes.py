"""Which files are new, changed, unchanged, failed, moved or gone."""

from dataclasses import replace
from pathlib import Path

import pytest
from random_videos import new_index, random_video

from centerclip.index import FileStamp, Moved, VideoIndex
from centerclip.records import Failed


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    return new_index(tmp_path / "index")


def record(index: VideoIndex, *files: FileStamp) -> None:
    """Index files as if they had been encoded."""
    videos = [random_video(file.path, modified=file.modified_seconds) for file in files]
    sized = zip(videos, files, strict=True)
    new_index(
        index.location,
        *(replace(video, info=replace(video.info, size_bytes=file.size_bytes)) for video, file in sized),
    )


def make(path: Path, content: bytes = b"video") -> FileStamp:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return FileStamp.of(path)


def test_a_new_index_knows_nothing(tmp_path: Path) -> None:
    file = make(tmp_path / "a.mp4")
    changes = VideoIndex(tmp_path / "index").changes([file], roots=[tmp_path])
    assert (changes.new, changes.unchanged, changes.gone) == ((file,), (), ())


def test_a_file_has_changed_if_its_size_or_time_has(index: VideoIndex, tmp_path: Path) -> None:
    same, longer, later = (make(tmp_path / f"{name}.mp4") for name in ("same", "longer", "later"))
    record(index, same, longer, later)
    longer = FileStamp(longer.path, longer.size_bytes + 1, longer.modified_seconds)
    later = FileStamp(later.path, later.size_bytes, later.modified_seconds + 1e-3)
    changes = index.changes([same, longer, later, same], roots=[tmp_path])
    assert (changes.unchanged, changes.changed) == ((same,), (longer, later))
    assert (changes.new, changes.failed, changes.moved, changes.gone) == ((), (), (), ())


def test_a_failed_file_is_failed_until_it_changes(index: VideoIndex, tmp_path: Path) -> None:
    file = make(tmp_path / "broken.mp4")
    new_index(index.location, Failed(file.path, "no frames"), Failed(Path("/v/vanished.mp4"), "not there"))
    assert index.changes([file]).failed == (file,)
    mended = make(file.path, b"mended video")
    assert index.changes([mended]).changed == (mended,)


def test_files_under_the_roots_that_no_longer_exist_are_gone(index: VideoIndex, tmp_path: Path) -> None:
    here = make(tmp_path / "here.mp4")
    excluded = make(tmp_path / "excluded.mp4")
    lost = FileStamp(tmp_path / "lost.mp4", 1, 1.0)
    elsewhere = FileStamp(Path(f"{tmp_path}-2/lost.mp4"), 2, 2.0)
    record(index, here, excluded, lost, elsewhere)
    assert index.changes([here], roots=[tmp_path]).gone == (lost.path,)
    assert index.changes([here], roots=[lost.path]).gone == (lost.path,)
    assert index.changes([here], roots=[Path("/")]).gone == (elsewhere.path, lost.path)
    assert index.changes([here]).gone == ()


def test_a_renamed_file_is_recognized(index: VideoIndex, tmp_path: Path) -> None:
    old = make(tmp_path / "old.mp4")
    record(index, old)
    (tmp_path / "sub").mkdir()
    new = FileStamp.of(old.path.rename(tmp_path / "sub" / "new.mp4"))
    other = make(tmp_path / "other.mp4", b"another")
    changes = index.changes([new, other], roots=[tmp_path / "sub", tmp_path / "other.mp4"])
    assert changes.moved == (Moved(old.path, new, f"id-{old.path}"),)
    assert (changes.new, changes.gone) == ((other,), ())
    assert index.changes([new], roots=[tmp_path]).gone == (old.path,)


def test_a_copy_is_new_and_a_file_moves_once(index: VideoIndex, tmp_path: Path) -> None:
    old = make(tmp_path / "old.mp4")
    record(index, old)
    copy = FileStamp(tmp_path / "copy.mp4", old.size_bytes, old.modified_seconds)
    again = FileStamp(tmp_path / "again.mp4", old.size_bytes, old.modified_seconds)
    assert index.changes([old, copy]).new == (copy,)
    old.path.unlink()
    changes = index.changes([copy, again])
    assert [move.new for move in changes.moved] == [copy]
    assert changes.new == (again,)
