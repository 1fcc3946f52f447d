"""A local copy of an index in object storage: complete, consistent, resumed and small."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from buckets import copy_objects
from counted_buckets import Buckets, serve_buckets
from random_videos import CARD, new_index, random_units, random_video, rows_of

from centerclip.cli import main
from centerclip.errors import FingerprintError, IndexStoreError
from centerclip.index import VideoIndex, copy_folder, mirror
from centerclip.index.head import HEAD
from centerclip.index.mirror import Mirror


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with serve_buckets() as served:
        yield served


@pytest.fixture(scope="module")
def original(buckets: Buckets) -> str:
    """The name of a bucket with an index of two videos, which each test copies."""
    new_index(f"{buckets.make('original')}/index", random_video("/v/0.mp4"), random_video("/v/1.mp4"))
    return "original"


@pytest.fixture
def remote(buckets: Buckets, original: str, request: pytest.FixtureRequest) -> Iterator[VideoIndex]:
    """An index of two videos in a bucket of its own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name)[:60].strip("-")
    location = f"{buckets.make(name)}/index"
    copy_objects(buckets.client, original, name)
    yield VideoIndex(location)
    buckets.refuses = lambda request: False


@pytest.fixture
def copy(remote: VideoIndex, tmp_path: Path) -> Iterator[Mirror]:
    made = Mirror(remote.location, tmp_path / "mirror")
    yield made
    made.close()


def add(index: VideoIndex, *paths: str, finish: bool = False) -> None:
    with index.writer() as writer:
        writer.add([random_video(path) for path in paths])
        if finish:
            writer.finish()


def assert_same(copy: Mirror, remote: VideoIndex) -> None:
    here, there = rows_of(VideoIndex(copy.folder, create=False)), rows_of(remote)
    assert here.keys() == there.keys()
    assert all(np.array_equal(here[key], there[key]) for key in here)


def test_the_copy_is_an_ordinary_index_with_pictures(copy: Mirror, remote: VideoIndex) -> None:
    assert copy.update()
    assert_same(copy, remote)
    here = VideoIndex(copy.folder, create=False)
    assert here.id == remote.id
    assert here.version == remote.version
    assert here.picture("id-/v/0.mp4", 12) == b"jpeg /v/0.mp4 1 0"
    (found,) = here.search(random_units(1), top=2)
    assert len(found.windows) == 2


def test_an_append_and_a_removal_are_seen(copy: Mirror, remote: VideoIndex) -> None:
    copy.update()
    here = VideoIndex(copy.folder, create=False)
    before = len(here)
    add(remote, "/v/2.mp4", "/v/3.mp4", finish=True)
    assert copy.update()
    assert len(here) == before + 4
    with remote.writer() as writer:
        writer.remove([Path("/v/0.mp4")])
    assert copy.update()
    assert_same(copy, remote)
    assert here.version == remote.version


def test_without_a_change_it_takes_one_small_request(
    copy: Mirror, remote: VideoIndex, buckets: Buckets
) -> None:
    copy.update()
    here = VideoIndex(copy.folder, create=False)
    buckets.requests.clear()
    assert not copy.update()
    assert buckets.requests == [f"GET /{remote.location.removeprefix('s3://')}/{HEAD}"]
    buckets.requests.clear()
    here.search(random_units(1))
    here.videos()
    assert buckets.requests == []


def test_a_batch_in_the_middle_is_not_seen(copy: Mirror, remote: VideoIndex, buckets: Buckets) -> None:
    """Windows without their videos are newer versions of a table, but no head names them."""
    copy.update()
    with remote.writer() as writer:
        buckets.refuses = lambda request: request.startswith("PUT") and "/videos.lance/" in request
        with pytest.raises(IndexStoreError):
            writer.add([random_video("/v/2.mp4")])
    buckets.refuses = lambda request: False
    windows = [name for name in buckets.names(remote.location.split("/")[2]) if "windows.lance/data" in name]
    assert len(windows) == 2
    assert not copy.update()
    assert len(VideoIndex(copy.folder, create=False)) == 4
    add(remote, "/v/2.mp4")
    assert copy.update()
    assert len(VideoIndex(copy.folder, create=False)) == 6


def test_an_interrupted_copy_goes_on(
    copy: Mirror, remote: VideoIndex, buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "_PIECE", 500)
    monkeypatch.setattr(mirror, "_SIDE_BY_SIDE", 1)
    reads: list[str] = []
    read_range = copy._bucket.read_range

    def failing(name: str, start: int, end: int) -> bytes:
        reads.append(f"{name} {start}")
        if "windows.lance/data" in name and sum("windows.lance/data" in read for read in reads) == 3:
            raise IndexStoreError("the network is gone")
        return read_range(name, start, end)

    monkeypatch.setattr(copy._bucket, "read_range", failing)
    with pytest.raises(IndexStoreError, match="network"):
        copy.update()
    assert not (copy.folder / HEAD).exists()
    assert VideoIndex(copy.folder).model is None  # nothing half copied is served
    copy.close()
    again = Mirror(remote.location, copy.folder)
    monkeypatch.setattr(again._bucket, "read_range", failing)
    assert again.update()
    assert len(reads) == len(set(reads)) + 1  # only the piece that failed was asked for again
    assert_same(again, remote)
    assert not list(copy.folder.rglob("*.part"))
    again.close()


def test_files_of_older_versions_are_deleted_after_a_while(
    copy: Mirror, remote: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.update()
    for number in range(3):
        add(remote, f"/w/{number}.mp4")
        copy.update()
    assert len([*copy.folder.rglob("*.manifest")]) > 6  # a search may be reading the older ones
    with remote.writer() as writer:
        writer._compact()
    add(remote, "/w/9.mp4")
    copy.update()
    monkeypatch.setattr(mirror, "_KEPT_SECONDS", 0.0)
    assert not copy.update()
    assert len([*copy.folder.rglob("*.manifest")]) == 6
    assert len([*copy.folder.glob("windows.lance/data/*")]) == 2  # the compacted one, and the last batch
    assert_same(copy, remote)


def test_files_that_vanish_meanwhile_are_looked_for_again(
    copy: Mirror, remote: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_range, began = copy._bucket.read_range, []

    def late(name: str, start: int, end: int) -> bytes:
        if not began:
            began.append(name)
            raise FileNotFoundError(name)  # as after a writer has compacted and deleted it
        return read_range(name, start, end)

    monkeypatch.setattr(copy._bucket, "read_range", late)
    assert copy.update()
    assert_same(copy, remote)


def test_an_index_that_is_created_again_replaces_the_copy(
    copy: Mirror, remote: VideoIndex, buckets: Buckets
) -> None:
    copy.update()
    bucket = remote.location.split("/")[2]
    for name in buckets.names(bucket):
        buckets.client.delete_object(Bucket=bucket, Key=name)
    other = new_index(remote.location, random_video("/other/1.mp4"))
    assert copy.update()
    assert_same(copy, other)
    assert VideoIndex(copy.folder).id == other.id


def test_what_is_half_copied_of_an_earlier_index_is_not_taken_for_the_new_one(
    copy: Mirror, remote: VideoIndex, buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of both may have the same names and sizes: a version's manifest is named by its number."""

    def failing(name: str, start: int, end: int) -> bytes:
        if name.startswith("meta.lance/_versions"):  # the last one
            raise IndexStoreError("the network is gone")
        return read_range(name, start, end)

    with monkeypatch.context() as patch:
        read_range = copy._bucket.read_range
        patch.setattr(copy._bucket, "read_range", failing)
        with pytest.raises(IndexStoreError, match="network"):
            copy.update()
    copy.close()
    bucket = remote.location.split("/")[2]
    for name in buckets.names(bucket):
        buckets.client.delete_object(Bucket=bucket, Key=name)
    other = new_index(remote.location, random_video("/w/0.mp4"), random_video("/w/1.mp4"))
    again = Mirror(remote.location, copy.folder)
    assert again.update()
    assert_same(again, other)
    again.close()


def test_a_copy_in_progress_keeps_its_folder(
    copy: Mirror, remote: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = Event(), Event()

    def slow(name: str, start: int, end: int) -> bytes:
        asked.set()
        assert answered.wait(60)
        return read_range(name, start, end)

    read_range = copy._bucket.read_range
    monkeypatch.setattr(copy._bucket, "read_range", slow)
    monkeypatch.setattr(mirror, "_STOP_SECONDS", 0.1)
    with ThreadPoolExecutor(1) as pool:
        updating = pool.submit(copy.update)
        assert asked.wait(60)
        copy.close()
        with pytest.raises(IndexStoreError, match="another process uses the folder"):
            Mirror(remote.location, copy.folder)
        answered.set()
        with pytest.raises(IndexStoreError, match="was stopped"):
            updating.result(60)
    copy.close()
    Mirror(remote.location, copy.folder).close()


def test_a_process_that_was_killed_while_it_took_the_folder_blocks_nobody(
    remote: VideoIndex, tmp_path: Path
) -> None:
    (tmp_path / ".mirror.lock").touch()
    (tmp_path / ".0123456789abcdef.part").touch()
    made = Mirror(remote.location, tmp_path)
    assert made.update()
    made.close()


def test_a_copy_is_used_while_its_store_is_out_of_reach(
    copy: Mirror, remote: VideoIndex, buckets: Buckets, tmp_path: Path
) -> None:
    copy.update()
    copy.close()
    buckets.refuses = lambda request: True
    again = Mirror(remote.location, copy.folder)
    assert again.meta.id == copy.meta.id
    assert again.is_complete
    with pytest.raises(IndexStoreError, match="refused access"):
        again.update()
    assert again.is_complete
    again.close()
    with pytest.raises(IndexStoreError, match="refused access"):
        Mirror(remote.location, tmp_path / "another")


def test_a_disk_that_fails_is_named(copy: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mirror.os, "fsync", full)
    with pytest.raises(IndexStoreError, match=r"can't be written: No space left on device. Choose another"):
        copy.update()


def test_another_model_is_refused_and_the_copy_stays(
    copy: Mirror, remote: VideoIndex, buckets: Buckets
) -> None:
    from dataclasses import replace

    copy.update()
    bucket = remote.location.split("/")[2]
    for name in buckets.names(bucket):
        buckets.client.delete_object(Bucket=bucket, Key=name)
    new_index(remote.location, random_video("/v/9.mp4"), card=replace(CARD, fingerprint="99"))
    with pytest.raises(FingerprintError):
        copy.update()
    assert len(VideoIndex(copy.folder, create=False)) == 4


def test_a_full_disk_is_noticed_before(copy: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_folder, "_SPARE", 10**18)
    with pytest.raises(IndexStoreError, match=r"GB are free at .*choose another --mirror"):
        copy.update()
    assert not list(copy.folder.rglob("*.lance"))


def test_a_folder_of_something_else_is_not_touched(remote: VideoIndex, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(IndexStoreError, match="holds something else: choose an empty or new folder"):
        Mirror(remote.location, tmp_path)
    assert os.listdir(tmp_path) == ["letters.txt"]


def test_a_copy_of_another_index_is_not_touched(copy: Mirror, remote: VideoIndex, buckets: Buckets) -> None:
    other = new_index(f"{buckets.make('quite-another')}/index")
    copy.update()
    copy.close()
    with pytest.raises(IndexStoreError, match=f"holds the copy of {remote.location}"):
        Mirror(other.location, copy.folder)


def test_two_processes_do_not_share_a_folder(copy: Mirror, remote: VideoIndex) -> None:
    with pytest.raises(IndexStoreError, match="give each replica its own --mirror"):
        Mirror(remote.location, copy.folder)
    copy.close()
    Mirror(remote.location, copy.folder).close()


def test_no_index_and_one_without_a_head(buckets: Buckets, tmp_path: Path) -> None:
    where = buckets.make("an-empty-bucket")
    with pytest.raises(IndexStoreError, match="there is no index at s3://an-empty-bucket/index"):
        Mirror(f"{where}/index", tmp_path / "a")
    index = new_index(f"{where}/index", random_video("/v/0.mp4"))
    buckets.client.delete_object(Bucket="an-empty-bucket", Key=f"index/{HEAD}")
    with pytest.raises(IndexStoreError, match="run `centerclip repair --index s3://an-empty-bucket/index`"):
        Mirror(index.location, tmp_path / "b")
    assert main(["repair", "--index", index.location]) == 0
    made = Mirror(index.location, tmp_path / "b")
    made.update()
    assert_same(made, index)
    for name in buckets.names("an-empty-bucket"):
        buckets.client.delete_object(Bucket="an-empty-bucket", Key=name)
    with pytest.raises(IndexStoreError, match="there is no index at s3://an-empty-bucket/index"):
        made.update()
    assert made.is_complete  # and served
    made.close()


def test_a_damaged_head_says_so(copy: Mirror, remote: VideoIndex, buckets: Buckets) -> None:
    bucket = remote.location.split("/")[2]
    buckets.client.put_object(Bucket=bucket, Key=f"index/{HEAD}", Body=json.dumps({"format": "2"}).encode())
    with pytest.raises(IndexStoreError, match="is damaged: .*centerclip repair --index"):
        copy.update()


def test_an_ann_index_is_copied(copy: Mirror, remote: VideoIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("snapshot", "writer"):
        monkeypatch.setattr(f"centerclip.index.{module}.EXACT_LIMIT", 100)
    with remote.writer() as writer:
        writer.add([random_video(f"/many/{at}.mp4", windows=10) for at in range(40)])
        assert writer.finish().built_ann
    copy.update()
    here = VideoIndex(copy.folder, create=False)
    assert here.stats().search == "ann"
    assert here.search(random_units(5), top=3)[0].windows[0].path == (
        remote.search(random_units(5), top=3)[0].windows[0].path
    )
