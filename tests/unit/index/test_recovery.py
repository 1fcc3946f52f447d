"""What readers and `repair` make of an index with damaged files."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from damage import empty, halve, keep_only_the_newest_versions, newest, zero
from random_videos import CARD, new_index, random_units, random_video

from centerclip.errors import IndexStoreError
from centerclip.index import VideoIndex, examine, repair
from centerclip.index.head import HEAD, read_values
from centerclip.index.summary import load_summary
from centerclip.index.versions import manifests, open_alone


def test_what_the_disk_refused_is_not_reported(index: VideoIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, calls = os.fsync, []

    def fail_once(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        fsync(handle)

    with index.writer() as writer:
        monkeypatch.setattr(os, "fsync", fail_once)
        for _ in range(2):  # a system reports lost data only once
            with pytest.raises(IndexStoreError, match="being written: .*Input/output error"):
                writer.add([random_video("/v/3.mp4")])
    assert len(index) == 6
    with index.writer() as writer:
        writer.add([random_video("/v/3.mp4")])
        assert writer.finish().stats.windows == 8


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    return new_index(tmp_path / "index", *(random_video(f"/v/{at}.mp4") for at in range(3)))


def test_a_reader_warns_once_and_names_the_remedy(
    index: VideoIndex, caplog: pytest.LogCaptureFixture
) -> None:
    with index.writer() as writer:
        writer.add([random_video("/v/3.mp4")])
    empty(newest(index, "windows"))
    reader = VideoIndex(index.location)
    assert (len(reader), len(reader)) == (6, 6)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "its table windows, so an older state of it is used" in record.message
    assert record.message.endswith(f"Run `centerclip repair --index {index.location}`")


def test_open_readers_notice_a_repair(index: VideoIndex) -> None:
    """Even if the next version has the number of the one that was lost."""
    with index.writer() as writer:
        writer.add([random_video("/v/3.mp4")])
    reader = VideoIndex(index.location)
    assert len(reader) == 8
    before = reader.id, reader.version
    for name in ("windows", "pictures", "videos"):
        empty(newest(index, name))
    with new_index(index.location).writer() as writer:
        writer.add([random_video("/v/4.mp4", windows=1)])
    assert (reader.id, reader.version) != before
    assert len(reader) == 7
    assert {str(each.path) for each in reader.search(random_units(0), top=9)[0].windows} == {
        f"/v/{at}.mp4" for at in (0, 1, 2, 4)
    }


def test_what_an_interrupted_run_left_is_no_damage(
    index: VideoIndex, caplog: pytest.LogCaptureFixture
) -> None:
    index._store.newest("windows").delete("true")
    empty(newest(index, "windows"))
    assert len(VideoIndex(index.location)) == 6
    assert {report.state for report in examine(index.location)} == {"good"}
    with index.writer() as writer:
        assert writer.finish().stats.windows == 6
    assert not caplog.records


def test_if_no_version_is_whole_the_readable_pieces_are_kept(index: VideoIndex) -> None:
    for at in (3, 4):
        with index.writer() as writer:
            writer.add([random_video(f"/v/{at}.mp4")])
    keep_only_the_newest_versions(index)
    halve(newest(index, "windows", "data/*"))
    with pytest.raises(IndexStoreError, match=r"windows can't be read\. Run `centerclip repair --index"):
        index.search(random_units(0))
    states = {report.table: (report.state, report.detail) for report in repair(index.location)}
    assert states["windows"][0] == "mended"
    assert "rows dropped that can't be read: 2" in states["windows"][1]
    assert [video.info.path.stem for video in index.videos()] == ["0", "1", "2", "3"]
    assert len(index) == 8


def test_a_damaged_ann_index_is_dropped_and_built_again(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("centerclip.index.writer.EXACT_LIMIT", 5)
    with index.writer() as writer:
        assert writer.finish().built_ann
    keep_only_the_newest_versions(index)
    for file in Path(index.location, "windows.lance", "_indices").rglob("*.idx"):
        halve(file)
    assert examine(index.location)[0].state == "damaged"
    report = repair(index.location)[0]
    assert (report.rows, report.state) == (6, "mended")
    assert "ANN indices dropped that can't be read: 1" in report.detail
    assert index._store.table("windows").list_indices()
    assert len(index) == 6


def test_a_table_of_which_nothing_is_left_is_made_again(index: VideoIndex) -> None:
    before = index.id
    for file in manifests(index.location, "videos").values():
        zero(file)
    (videos,) = [report for report in repair(index.location) if report.table == "videos"]
    assert (videos.state, videos.rows) == ("mended", 0)
    assert "made again" in videos.detail
    assert len(index) == 0
    assert index.id != before  # versions start over
    assert index.model == CARD


@pytest.mark.parametrize("column", ["vector", "segments"])
def test_values_that_became_zeros_are_found(index: VideoIndex, column: str) -> None:
    data = newest(index, "windows", "data/*")
    row = index._store.table("windows").search().where("path = '/v/1.mp4'").to_list()[0]
    value = np.asarray(row["vector"], np.float16).tobytes() if column == "vector" else row["segments"]
    assert value in data.read_bytes()
    data.write_bytes(data.read_bytes().replace(value, b"\0" * len(value)))
    windows = examine(index.location)[0]
    assert (windows.table, windows.rows, windows.state) == ("windows", 5, "damaged")
    assert windows.detail == "rows with damaged values: 1"
    repair(index.location)
    assert [video.info.path.stem for video in index.videos()] == ["0", "2"]


def test_the_description_is_kept_twice(index: VideoIndex, caplog: pytest.LogCaptureFixture) -> None:
    with index.writer() as writer:
        writer.add_roots(["/v"])
    meta = index._store.meta()
    assert meta is not None
    head = Path(index.location, HEAD)
    halve(head)
    reader = VideoIndex(index.location)
    assert (reader.id, reader.model, reader.roots, len(reader)) == (meta.id, CARD, (Path("/v"),), 6)
    assert "a copy of it is used" in caplog.text
    assert {report.table: report.state for report in repair(index.location)}["meta"] == "mended"
    assert (index._store.meta() or meta).values() == meta.values()
    for file in manifests(index.location, "meta").values():
        zero(file)
    assert VideoIndex(index.location).roots == (Path("/v"),)
    repair(index.location)
    assert read_values(index._store.table("meta")) == (index._store.meta() or meta).values()
    empty(head)
    for file in manifests(index.location, "meta").values():
        empty(file)
    for act in (VideoIndex, repair):
        with pytest.raises(IndexStoreError, match="Delete the index, and index the videos again"):
            act(index.location)


@pytest.mark.parametrize(
    "changed",
    [
        '{"versions": {"windows": []}}',
        '{"versions": {"windows": 1e999}}',
        '{"versions": {}, "format": 1e999}',
        '{"versions": {}, "format": 2, "roots": [0]}',
        '{"versions": 1}',
        "[" * 100_000,
        "3",
    ],
)
def test_a_description_of_another_form_is_damaged(
    index: VideoIndex, changed: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path(index.location, HEAD).write_text(changed)
    assert VideoIndex(index.location).model == CARD
    assert "a copy of it is used" in caplog.text


def test_a_copy_without_hidden_files_is_an_index(
    index: VideoIndex, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(index.location, tmp_path / "copy", ignore=shutil.ignore_patterns(".*"))
    copy = VideoIndex(tmp_path / "copy", create=False)
    assert (copy.id, len(copy)) == (index.id, 6)
    with copy.writer() as writer:
        assert writer.finish().stats.windows == 6
    assert Path(copy.location, HEAD).exists()
    assert not caplog.records


def test_a_power_cut_while_it_is_created(tmp_path: Path) -> None:
    new_index(tmp_path / "index")
    Path(tmp_path, "index", HEAD).unlink()
    for file in (tmp_path / "index").rglob("*.manifest"):
        empty(file)
    assert VideoIndex(tmp_path / "index").model is None
    assert len(new_index(tmp_path / "index", random_video("/v/0.mp4"))) == 2


def test_the_summary_of_a_damaged_index_is_not_used(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.finish()
    for file in [newest(index, "pictures", "data/*"), newest(index, "videos")]:
        assert load_summary(index.location) is not None
        content = file.read_bytes()
        zero(file)
        assert load_summary(index.location) is None
        file.write_bytes(content)
        repair(index.location)


def test_a_version_alone_is_read_while_newer_ones_are_damaged(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.add([random_video("/v/3.mp4")])
    number = max(manifests(index.location, "windows")) - 1
    zero(newest(index, "windows"))
    assert open_alone(index.location, "windows", number).count_rows() == 6
    with pytest.raises(ValueError, match="manifest of version"):
        open_alone(index.location, "windows", number + 1)
