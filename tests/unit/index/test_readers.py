"""Readers see what a writer commits, and never fail because of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import lancedb
import pytest
from random_videos import CARD, new_index, random_units, random_video

from centerclip.errors import FingerprintError, IndexStoreError
from centerclip.index import ModelCard, VideoIndex, snapshot, store
from centerclip.index.lock import writer_lock
from centerclip.index.snapshot import Snapshot


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    return new_index(tmp_path / "index", random_video("/v/0.mp4"))


def best_path(index: VideoIndex, number: int) -> str:
    (window,) = index.search(random_video(f"/v/{number}.mp4").windows[0].vector, top=1)[0].windows
    return str(window.path)


def test_open_readers_see_each_commit(index: VideoIndex) -> None:
    reader = VideoIndex(index.location, create=False)
    unbound = VideoIndex(index.location)
    assert (len(reader), len(unbound)) == (2, 2)
    versions = [reader.version]
    with index.writer() as writer:
        for number in range(1, 4):
            writer.add([random_video(f"/v/{number}.mp4")])
            assert len(reader) == 2 + 2 * number
            assert best_path(reader, number) == f"/v/{number}.mp4"
            versions.append(reader.version)
        writer.remove([Path("/v/1.mp4")])
        versions.append(reader.version)
        assert best_path(reader, 1) != "/v/1.mp4"
    assert versions == sorted(set(versions))


def test_what_is_kept_of_versions_is_bounded(index: VideoIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, connect = 100_000, lancedb.connect
    sessions: list[Any] = []

    def connect_noting(*args: Any, **options: Any) -> Any:
        sessions.append(options["session"])
        return connect(*args, **options)

    monkeypatch.setattr(store, "_CACHE", limit)
    monkeypatch.setattr(lancedb, "connect", connect_noting)
    reader = VideoIndex(index.location, create=False)
    for number in range(1, 5):
        with index.writer() as writer:
            writer.add([random_video(f"/v/{number}.mp4")])
        assert best_path(reader, number) == f"/v/{number}.mp4"
        assert len(reader.videos()) == number + 1
    sizes = [session.size_bytes for session in sessions]
    assert limit / 2 < max(sizes) < 1.5 * limit


def make_again(index: VideoIndex, card: ModelCard, path: str, writes: int = 1) -> VideoIndex:
    """Delete an index and create one with this file in the same place."""
    shutil.rmtree(index.location)
    made = new_index(index.location, card=card)
    with made.writer() as writer:
        for _ in range(writes):
            writer.add([random_video(path)])
    return made


def test_readers_notice_an_index_that_was_created_again(index: VideoIndex) -> None:
    reader = VideoIndex(index.location)
    assert best_path(reader, 0) == "/v/0.mp4"
    for number, writes in enumerate((1, 3, 1), start=1):  # as many versions as before, more, and fewer
        before, path = reader.version, f"/v/{number}.mp4"
        again = make_again(index, CARD, path, writes)
        assert again.version - before == {1: 0, 2: 8, 3: -8}[number]
        assert best_path(reader, number) == path
        assert [str(video.info.path) for video in reader.videos()] == [path]
        assert reader.picture(f"id-{path}", 0.0) == f"jpeg {path} 0 0".encode()
        assert (reader.id, reader.version) == (again.id, again.version)
    shutil.rmtree(index.location)
    assert (len(reader), reader.id, reader.model) == (0, None, None)


def test_an_index_created_again_by_another_model_is_refused(index: VideoIndex) -> None:
    reader = VideoIndex(index.location)
    reader.bind(CARD)
    assert best_path(reader, 0) == "/v/0.mp4"
    make_again(index, replace(CARD, fingerprint="ffff", name="other"), "/v/1.mp4")
    with pytest.raises(FingerprintError, match="made by other"):
        reader.check(CARD.fingerprint, "tiny")
    with pytest.raises(IndexStoreError, match="created again meanwhile"), reader.writer():
        pass
    with pytest.raises(FingerprintError, match="made by other"):
        reader.bind(CARD)


def test_an_index_created_again_while_a_writer_waits_is_not_written(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def wait(location: str, **options: Any) -> Iterator[None]:
        monkeypatch.setattr(store, "writer_lock", writer_lock)
        make_again(index, CARD, "/v/1.mp4")
        yield

    monkeypatch.setattr(store, "writer_lock", wait)
    with pytest.raises(IndexStoreError, match="Nothing was written"), VideoIndex(index.location).writer():
        pass


def test_an_index_created_again_while_a_writer_works_is_not_written(index: VideoIndex) -> None:
    with index.writer() as writer:
        shutil.rmtree(index.location)
        again = new_index(index.location, random_video("/v/1.mp4"), card=replace(CARD, fingerprint="ffff"))
        before = again.version
        for act in (
            lambda: writer.add([random_video("/v/2.mp4")]),
            lambda: writer.remove([Path("/v/0.mp4")]),
            lambda: writer.add_roots(["/v"]),
            writer.finish,
        ):
            with pytest.raises(IndexStoreError, match="was deleted meanwhile, and maybe created again"):
                act()
        assert (again.version, len(again), again.roots) == (before, 2, ())


def test_an_unchanged_index_is_read_once(index: VideoIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    index.search(random_units(0))
    monkeypatch.setattr(Snapshot, "__init__", lambda *_: pytest.fail("the index is read again"))
    index.search(random_units(0))


def test_a_reader_of_deleted_files_reads_the_new_version(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = new_index(index.location, random_video("/v/1.mp4"))
    allowed = Snapshot._allowed

    def after_cleanup(self: Snapshot, *rest: Any) -> Any:
        monkeypatch.setattr(Snapshot, "_allowed", allowed)
        table = index._store.newest("windows")
        with pytest.warns(UserWarning, match="removes every version"):
            table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
        index._store.commit()
        return allowed(self, *rest)

    monkeypatch.setattr(Snapshot, "_allowed", after_cleanup)
    vector = random_video("/v/1.mp4").windows[1].vector
    (best,) = reader.search(vector, top=1, where="start_ms > 0")[0].windows
    assert (str(best.path), best.window.start_seconds) == ("/v/1.mp4", 12.0)


def test_lost_files_are_an_error(index: VideoIndex) -> None:
    for file in Path(index.location, "windows.lance", "data").iterdir():
        file.unlink()
    with pytest.raises(IndexStoreError, match="is damaged: its table windows can't be read"):
        VideoIndex(index.location).search(random_units(0))


@pytest.mark.parametrize("limit", [100_000, 5])
def test_threads_search_while_a_writer_adds_compacts_and_removes(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(snapshot, "EXACT_LIMIT", limit)
    monkeypatch.setattr("centerclip.index.writer.EXACT_LIMIT", limit)
    monkeypatch.setattr("centerclip.index.writer._FRAGMENTS", 1)
    reader = VideoIndex(index.location)
    stop, errors, searches = Event(), [], []

    def search() -> None:
        try:
            while not stop.is_set():
                assert best_path(reader, 0) == "/v/0.mp4"
                assert reader.search(random_units(1), top=3, where="start_ms = 0")[0].windows
                searches.append(1)
        except BaseException as error:  # reported by the main thread
            errors.append(error)

    threads = [Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with index.writer() as writer:
            for number in range(1, 13):
                writer.add([random_video(f"/v/{number}.mp4", windows=40, seed=99 * number)])
                if number % 4 == 0:
                    writer.finish()
                    writer.remove([Path(f"/v/{number - 1}.mp4")])
            assert writer.finish().stats.windows == 2 + 9 * 40
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors, errors
    assert searches
