"""Files are added, replaced, removed, moved, repaired and verified."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_videos import new_index, random_units, random_video

from centerclip.errors import IndexStoreError
from centerclip.index import FileStamp, VideoIndex, changing
from centerclip.index import writer as writer_module
from centerclip.index.changing import end_of, replace_rows, since
from centerclip.index.contents import Contents, inspect_tables
from centerclip.index.head import HEAD
from centerclip.index.schema import window_rows
from centerclip.records import EncodedVideo, Failed, Window


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    return new_index(tmp_path / "index")


def stored(index: VideoIndex) -> dict[str, list[Any]]:
    """Return the vectors and then the pictures of each path, in time order."""
    found: dict[str, list[Any]] = {}
    for table, column in (("windows", "vector"), ("pictures", "jpeg")):
        for row in index._store.table(table).to_arrow().sort_by("start_ms").to_pylist():
            found.setdefault(row["path"], []).append(row[column])
    return found


def content(video: EncodedVideo) -> list[Any]:
    """Return what `stored` should have for a video's path."""
    vectors = [window.vector.tolist() for window in video.windows]
    return vectors + [jpeg for window in video.windows for _, jpeg in window.pictures]


def test_adding_twice_changes_nothing(index: VideoIndex) -> None:
    videos = [random_video(f"/v/{at}.mp4", windows=1 + at) for at in range(4)]
    with index.writer() as writer:
        writer.add(videos)
        once = stored(index)
        writer.add(videos)
        assert stored(index) == once == {str(v.info.path): content(v) for v in videos}
    with index.writer() as writer:
        writer.add(videos)
        finished = writer.finish()
    assert stored(index) == once
    assert (finished.stats.videos, finished.stats.windows, finished.stats.failed, finished.stats.search) == (
        4,
        10,
        0,
        "exact",
    )


def test_a_changed_file_replaces_its_windows_and_pictures(index: VideoIndex) -> None:
    for windows in (3, 5, 1, 2):
        changed = random_video("/v/a.mp4", windows=windows, seed=windows, modified=float(windows))
        with index.writer() as writer:
            writer.add([changed, random_video("/v/b.mp4")])
            writer.finish()
        assert stored(index)["/v/a.mp4"] == content(changed)
        assert stored(index)["/v/b.mp4"] == content(random_video("/v/b.mp4"))
        (recorded,) = index.videos("path = '/v/a.mp4'")
        assert (recorded.windows, recorded.info) == (windows, changed.info)


def test_the_last_of_equal_paths_in_a_batch_counts(index: VideoIndex) -> None:
    first, second = random_video("/v/a.mp4", windows=3), random_video("/v/x/../a.mp4", windows=1, seed=1)
    with index.writer() as writer:
        assert writer.add([first, second]) == [second, second]
        assert writer.finish().stats.windows == 1
    assert index.videos()[0].info.path == Path("/v/a.mp4")


def test_a_file_that_fails_loses_its_windows_until_it_is_repaired(index: VideoIndex) -> None:
    video = random_video("/v/a.mp4")
    with index.writer() as writer:
        writer.add([video, random_video("/v/b.mp4")])
        writer.add([Failed(Path("/v/a.mp4"), "damaged")])
        assert set(stored(index)) == {"/v/b.mp4"}
        writer.add([video])
        writer.finish()
    assert stored(index)["/v/a.mp4"] == content(video)
    assert index.failed() == []


def test_a_file_that_would_corrupt_the_index_becomes_a_failure(index: VideoIndex) -> None:
    good = random_video("/v/a.mp4")
    window = good.windows[0]
    spoiled = replace(window, vector=window.vector * np.float32("nan"))
    soon = replace(window, window=Window(0.0004, 12))
    wrong = {
        "/v/nan.mp4": ((spoiled,), "isn't finite"),
        os.fsdecode(b"/v/caf\xe9.mp4"): ((window,), "UTF-8"),
        "/v/c.mp4": ((), "no window was encoded"),
        "/v/short.mp4": ((window, soon), "within a millisecond"),
    }
    videos = [replace(random_video(path), windows=windows) for path, (windows, _) in wrong.items()]
    with index.writer() as writer:
        *failed, last = writer.add([*videos, good])
        writer.finish()
    assert last == good
    for result, (_, reason) in zip(failed, wrong.values(), strict=True):
        assert isinstance(result, Failed)
        assert reason in result.reason
    names = [video.info.path.name for video in index.failed()]
    assert names == ["c.mp4", "caf\\xe9.mp4", "nan.mp4", "short.mp4"]


def test_embeddings_of_another_size_are_an_error(index: VideoIndex) -> None:
    video = random_video("/v/a.mp4")
    window = replace(video.windows[0], vector=np.ones(3, np.float32), segments=np.ones((1, 3), np.float32))
    with index.writer() as writer, pytest.raises(IndexStoreError, match=r"size \{3\}.*holds size 16"):
        writer.add([replace(video, windows=(window,))])


def test_windows_may_have_different_numbers_of_segments(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.add([random_video(f"/v/{at}.mp4", segments=at) for at in (1, 4, 2)])
    found = index.search(random_units(0), top=9)[0].windows
    assert {str(hit.path): hit.segments.shape for hit in found} == {
        f"/v/{at}.mp4": (at, 16) for at in (1, 4, 2)
    }


def test_removing_forgets_files_and_returns_how_many(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    with index.writer() as writer:
        writer.add([random_video("/v/it's.mp4"), random_video("/v/b.mp4"), Failed(Path("/v/c.mp4"), "x")])
        assert writer.remove([Path("/v/it's.mp4"), Path("/v/c.mp4"), Path("/v/unknown.mp4")]) == 2
        assert writer.remove([Path("/v/it's.mp4")]) == 0
        assert writer.finish().stats.videos == 1
    assert set(stored(index)) == {"/v/b.mp4"}
    assert index.failed() == []
    monkeypatch.setattr(changing, "_PATHS", 7)  # several statements, as for thousands of files
    with index.writer() as writer:
        writer.add([random_video(f"/v/{at}.mp4", windows=1) for at in range(30)])
        assert writer.remove([Path(f"/v/{at}.mp4") for at in range(29)]) == 29
        assert writer.finish().stats.videos == 2


def test_a_moved_file_keeps_its_embeddings(index: VideoIndex) -> None:
    video = random_video("/v/old name's.mp4", windows=3)
    new = FileStamp(Path("/w/new.mp4"), video.info.size_bytes, 99.0)
    with index.writer() as writer:
        writer.add([video, random_video("/w/new.mp4")])
        writer.move(Path("/v/old name's.mp4"), new)
        with pytest.raises(IndexStoreError, match="can't be moved"):
            writer.move(Path("/v/old name's.mp4"), new)
        writer.finish()
    assert stored(index) == {"/w/new.mp4": content(video)}
    assert index.changes([new]).unchanged == (new,)
    assert index.videos()[0].info.video_id == video.info.video_id


def test_files_that_a_killed_writer_left_unfinished_are_forgotten_and_redone(index: VideoIndex) -> None:
    videos = [random_video(f"/v/{at}.mp4") for at in range(7)]
    with index.writer() as writer:
        writer.add(videos)
        writer.finish()
    broken = {
        "videos": "path = '/v/0.mp4'",
        "windows": "path = '/v/1.mp4' and start_ms = 0",
        "pictures": "path = '/v/2.mp4'",
    }
    for name, condition in broken.items():
        index._store.newest(name).delete(condition)
    for at, name in ((3, "windows"), (4, "pictures")):  # as many rows, but of other content
        index._store.newest(name).update(where=f"path = '/v/{at}.mp4'", values={"video_id": "other"})
    index._store.commit()
    with index.writer() as writer:
        assert set(stored(index)) == {"/v/5.mp4", "/v/6.mp4"}
        files = [FileStamp(v.info.path, v.info.size_bytes, v.info.modified_seconds) for v in videos]
        assert [file.path.stem for file in index.changes(files).new] == ["0", "1", "2", "3", "4"]
        writer.add(videos[:5])
        assert writer.finish().stats.windows == 14


@pytest.mark.parametrize("tables", [["windows"], ["pictures"], ["videos"], ["pictures", "windows", "videos"]])
def test_finish_notices_rows_that_have_vanished(index: VideoIndex, tables: list[str]) -> None:
    with index.writer() as writer:
        writer.add([random_video("/v/a.mp4"), random_video("/v/b.mp4")])
        for name in tables:
            index._store.newest(name).delete("path = '/v/b.mp4'")
        index._store.commit()
        with pytest.raises(IndexStoreError, match=r"doesn't hold .* 1 files, among them /v/b\.mp4"):
            writer.finish()


def test_finish_notices_rows_that_were_doubled(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.add([random_video("/v/a.mp4")])
    with index.writer() as writer:
        writer.add([random_video("/v/b.mp4")])
        doubled = index._store.newest("windows")
        doubled.add(doubled.search().where("path = '/v/a.mp4'").to_arrow())
        index._store.commit()
        with pytest.raises(IndexStoreError, match=r"doesn't hold .* 1 files, among them /v/a\.mp4"):
            writer.finish()
    with index.writer() as writer:
        assert writer.finish().stats.windows == 2


def test_a_local_index_is_written_without_comparing_its_keys(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing them took 2 GB with a million windows."""
    merged: list[str] = []
    monkeypatch.setattr(changing, "merge", lambda table, *_: merged.append(table.name))
    old, new = (random_video("/v/a.mp4", seed=seed, windows=seed) for seed in (2, 1))
    failed, copied = (
        Failed(Path("/v/b.mp4"), "damaged"),
        FileStamp(Path("/v/c.mp4"), new.info.size_bytes, 9.0),
    )
    with index.writer() as writer:
        for batch in ([old, random_video("/v/b.mp4")], [new, failed], [new]):
            writer.add(batch)
        writer.copy([(new.info.path, copied)])
        writer.copy([(new.info.path, copied)])
        assert writer.finish().stats.windows == 2
    assert stored(index) == {"/v/a.mp4": content(new), "/v/c.mp4": content(new)}
    assert not merged


def test_a_run_does_not_read_what_another_one_has_checked(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspected: list[int] = []

    def inspect(*tables: Any) -> Contents:
        inspected.append(1)
        return inspect_tables(*tables)

    with index.writer() as writer:
        writer.add([random_video(f"/v/{at}.mp4") for at in range(4)])
        writer.finish()
    monkeypatch.setattr(writer_module, "inspect_tables", inspect)
    with index.writer() as writer:
        writer.add([random_video("/v/1.mp4", windows=3, modified=2.0), random_video("/v/5.mp4")])
        writer.remove([Path("/v/2.mp4")])
        writer.move(Path("/v/3.mp4"), FileStamp(Path("/v/6.mp4"), 1, 1.0))
        assert writer.finish().stats.windows == 9
    assert not inspected
    head = Path(index.location, HEAD)
    values = json.loads(head.read_bytes())
    assert values.pop("checked") is True
    head.write_text(json.dumps(values))  # as earlier versions write it
    with index.writer() as writer:
        assert writer.finish().stats.windows == 9
    assert len(inspected) == 1


@pytest.mark.parametrize("finishes", [False, True])
def test_a_batch_that_failed_halfway_is_forgotten_by_the_next_writer(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch, finishes: bool
) -> None:
    def fail_late(table: Any, *rest: Any, merged: bool) -> int:
        if table.name == "videos":
            raise OSError("No space left on device")
        return replace_rows(table, *rest, merged=merged)

    with index.writer() as writer, monkeypatch.context() as patch:
        writer.add([random_video("/v/a.mp4"), random_video("/v/b.mp4")])
        patch.setattr(writer_module, "replace_rows", fail_late)
        with pytest.raises(IndexStoreError, match="No space left"):
            writer.add([random_video("/v/a.mp4", seed=7, modified=3.0), random_video("/v/c.mp4")])
        writer.add_roots(["/v"])  # makes all that was written visible
        if finishes:
            with pytest.raises(IndexStoreError, match=r"doesn't hold .* 2 files, among them /v/a\.mp4"):
                writer.finish()
    with index.writer() as writer:
        assert set(stored(index)) == {"/v/b.mp4"}
        assert writer.finish().stats.windows == 2


def test_the_ids_of_later_rows_are_beyond_the_end(index: VideoIndex) -> None:
    table = index._store.newest("windows")

    def add(name: str) -> None:
        rows = window_rows([random_video(f"/v/{name}-{at}.mp4") for at in range(3)], table.schema)
        table.add(rows)

    changes = [
        lambda: add("a"),
        lambda: add("b"),
        lambda: table.delete("path = '/v/b-2.mp4'"),
        lambda: table.update(where="path = '/v/a-1.mp4'", values={"path": "/w/a.mp4"}),
        lambda: table.delete("path LIKE '/v/b%'"),
        table.optimize,
        lambda: add("c"),
        lambda: table.delete("start_ms >= 0"),
        lambda: add("d"),
    ]
    before: dict[str, int] = {}
    for change in changes:
        end = end_of(table)
        change()
        rows = table.search().select(["path"]).with_row_id(True).to_list()
        later = {row["path"] for row in table.search().where(since(end)).select(["path"]).to_list()}
        assert {row["path"] for row in rows} - before.keys() <= later
        before = {row["path"]: row["_rowid"] for row in rows}


def test_a_failed_write_is_a_one_line_error_and_repeating_it_does_not_duplicate(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fail_once(table: Any, *rest: Any, merged: bool) -> int:
        calls.append(table.name)
        if len(calls) == 3:
            raise OSError("No space left on device")
        return replace_rows(table, *rest, merged=merged)

    monkeypatch.setattr(writer_module, "replace_rows", fail_once)
    with index.writer() as writer:
        with pytest.raises(IndexStoreError, match="being written: No space left on device"):
            writer.add([random_video("/v/a.mp4", windows=3)])
        assert calls == ["pictures", "windows", "videos"]
        writer.add([random_video("/v/a.mp4")])
        assert writer.finish().stats.windows == 2


def test_many_small_batches_are_compacted(index: VideoIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_BATCHES", 8)
    with index.writer() as writer:
        for at in range(20):
            writer.add([random_video(f"/v/{at}.mp4", windows=1)])
        assert index._store.table("windows").stats()["fragment_stats"]["num_fragments"] < 8
        monkeypatch.setattr(writer_module, "_FRAGMENTS", 2)
        assert writer.finish().stats.windows == 20
    for name in ("pictures", "windows", "videos"):
        assert index._store.table(name).stats()["fragment_stats"]["num_fragments"] == 1


def test_roots_are_stored_in_the_order_given(
    index: VideoIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = os.fsdecode(b"/v/caf\xe9")
    with index.writer() as writer:
        writer.add_roots(["/v/b", "a", odd])
        writer.add_roots([Path("/v/a.mp4"), "/v/b"])
    roots = (Path("/v/b"), tmp_path / "a", Path(odd), Path("/v/a.mp4"))
    assert index.roots == VideoIndex(index.location).roots == roots


def test_an_empty_batch_writes_nothing(index: VideoIndex) -> None:
    with index.writer() as writer:
        version = index.version
        assert writer.add([]) == []
        assert writer.remove([]) == 0
        finished = writer.finish()
    assert index.version == version
    assert (finished.stats.videos, finished.stats.windows) == (0, 0)


def test_the_next_run_deletes_files_of_old_versions(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_FRAGMENTS", 2)
    with index.writer() as writer:
        for at in range(4):
            writer.add([random_video(f"/v/{at}.mp4", windows=50)])
        writer.finish()
    before = index.stats().size_bytes
    monkeypatch.setattr(writer_module, "_KEEP_VERSIONS", timedelta(milliseconds=1))
    with index.writer() as writer:
        assert writer.finish().stats.size_bytes < 0.8 * before
    assert len(index) == 200
