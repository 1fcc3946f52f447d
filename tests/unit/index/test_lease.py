"""One writer at a time to an index in object storage, on any number of machines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from buckets import Storage, serve, without_headers
from random_videos import CARD, new_index, random_video

from centerclip.errors import IndexLockedError, IndexStoreError
from centerclip.index import VideoIndex, bucket, lease, lock
from centerclip.index import writer as writer_module
from centerclip.index.bucket import Bucket
from centerclip.index.lease import LEASE, LEASE_SECONDS, Lease, Note

HOLDER = """
import sys, time
from centerclip.index.bucket import Bucket
from centerclip.index.lock import writer_lock
with writer_lock(sys.argv[1], wait_seconds=0, bucket=Bucket(sys.argv[1])):
    print("held", flush=True)
    time.sleep(120)
"""


class Clock:
    """A clock that passes only while somebody waits; nobody renews anything in the background."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.on_wait: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> bool:
        self.seconds += seconds
        self.on_wait()
        return False

    def set(self) -> None:
        """Does nothing; an event can be set."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lease, "now", lambda: clock.seconds)
    monkeypatch.setattr(lease, "Event", lambda: clock)
    monkeypatch.setattr(Lease, "_keep", lambda self: None)
    return clock


@pytest.fixture
def other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all writers be on machines of their own: they share no lock of an operating system."""
    monkeypatch.setattr(lock, "_lock", lambda *args, **kwargs: None)
    monkeypatch.setattr(lease, "_LOOK_SECONDS", 0.05)


@pytest.fixture
def place(storage: Storage, request: pytest.FixtureRequest) -> Bucket:
    return Bucket(f"s3://{storage.bucket(request.node.name)}/index")


def held(place: Bucket, **options: Any) -> Lease:
    taken = Lease(place)
    taken.acquire(0, **options)
    return taken


def holder_of(place: Bucket) -> str:
    return Note.read(Lease(place)._get()[1]).holder


def test_one_of_sixteen_wins(place: Bucket) -> None:
    together = Barrier(16, timeout=60)

    def race(_: int) -> Lease | IndexLockedError:
        racer = Lease(place)
        together.wait()
        try:
            racer.acquire(0)
        except IndexLockedError as error:
            return error
        return racer

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(race, range(16)))
    (winner,) = (result for result in results if isinstance(result, Lease))
    assert Counter(type(result) for result in results) == {Lease: 1, IndexLockedError: 15}
    assert all(str(winner.note.pid) in str(error) for error in results if error is not winner)
    assert winner.release()
    assert held(place).release()


def test_a_holder_that_renews_keeps_it(place: Bucket, clock: Clock) -> None:
    holder = held(place)
    clock.on_wait = holder.renew
    with pytest.raises(IndexLockedError, match=r"written by process \d+ on .*, since .* --wait 70"):
        Lease(place).acquire(5 * LEASE_SECONDS)
    holder.check()


def test_a_dead_holder_is_replaced_once_its_time_is_over(place: Bucket, clock: Clock) -> None:
    dead = held(place)
    clock.seconds += 10 * LEASE_SECONDS  # which nobody watched
    begun = clock.seconds
    with pytest.raises(IndexLockedError):
        Lease(place).acquire(0)
    with pytest.raises(IndexLockedError):
        Lease(place).acquire(LEASE_SECONDS - 2)
    begun, heir = clock.seconds, Lease(place)
    heir.acquire(-1)
    assert LEASE_SECONDS <= clock.seconds - begun <= LEASE_SECONDS + 2
    with pytest.raises(IndexLockedError, match="now being written by another process"):
        dead.check()
    assert dead.release()
    heir.renew()


def test_a_sleep_that_nobody_used_is_forgiven(place: Bucket, clock: Clock) -> None:
    holder = held(place)
    clock.seconds += 10 * LEASE_SECONDS
    holder.check()
    with pytest.raises(IndexLockedError):
        held(place)


def test_an_answer_that_was_lost_does_not_lose_the_lease(
    place: Bucket, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, holder = Lease._put, Lease(place)

    def twice(self: Lease, content: bytes, mode: Any) -> Any:
        if isinstance(mode, dict) and mode is not lease._NEVER:
            put(self, content, mode)  # the client repeats a request that isn't answered
        return put(self, content, mode)

    with monkeypatch.context() as patch:
        patch.setattr(Lease, "_put", twice)
        holder.acquire(0)
        holder.renew()
        assert holder.release()
    assert held(place).release()


def test_a_store_that_cannot_be_reached_stops_writing_only_once_the_lease_is_over(
    storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "RETRY", {"max_retries": 0})
    name = storage.bucket("unreachable-for-a-while")
    down = False

    def sometimes(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        if down:
            start("503 Service Unavailable", [])
            return [b""]
        return storage.application(environ, start)

    with serve(sometimes) as address:
        place = Bucket(f"s3://{name}/index", {"endpoint": address})
        holder = held(place)
        down = True
        holder.check()
        clock.seconds += LEASE_SECONDS
        with pytest.raises(IndexStoreError, match="failing .503.. Try again later"):
            holder.check()
        down = False
        holder.check()
        down = True
        assert not holder.release()
    assert Bucket(f"s3://{name}/index").names() == {LEASE}


@pytest.mark.parametrize("ignored", ["If-None-Match", "If-Match"])
def test_a_store_without_conditions_is_refused(
    storage: Storage, ignored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = storage.bucket(f"ignores-{ignored}")
    with serve(without_headers(storage.application, ignored)) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        index = VideoIndex(f"s3://{name}/index")
        for _ in range(2):
            with pytest.raises(IndexStoreError, match="its store ignores conditions of writes"):
                index.bind(CARD)
    assert storage.objects(name) == [f"index/{LEASE}"]


def test_a_lease_is_no_reason_to_refuse_an_index(storage: Storage, place: Bucket) -> None:
    held(place).release()
    index = new_index(place.location, random_video("/v/0.mp4"))
    assert storage.objects(place.name, "lease") == [f"index/{LEASE}"]
    # An index made by an earlier version has none.
    storage.client.delete_object(Bucket=place.name, Key=f"index/{LEASE}")
    with VideoIndex(place.location).writer() as writer:
        writer.add([random_video("/v/1.mp4")])
        assert writer.finish().stats.videos == 2
    assert len(index) == 4


def test_who_lost_the_lease_writes_nothing(storage: Storage, place: Bucket, other_machines: None) -> None:
    index = new_index(place.location, random_video("/v/0.mp4"))
    with index.writer() as writer:
        heir = held(place, dead=holder_of(place))
        before = storage.objects(place.name)
        for change in (
            lambda: writer.add([random_video("/v/1.mp4")]),
            lambda: writer.remove([Path("/v/0.mp4")]),
            lambda: writer.add_roots(["/v"]),
            writer.finish,
        ):
            with pytest.raises(IndexLockedError, match="now being written by another process"):
                change()
        assert storage.objects(place.name) == before
    heir.renew()
    heir.release()
    assert [video.info.path.name for video in index.videos()] == ["0.mp4"]


def test_who_loses_the_lease_within_a_batch_stops_at_once(
    place: Bucket, other_machines: None, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = new_index(place.location, random_video("/v/0.mp4"))

    def replace_and_lose(table: Any, *args: Any, merged: bool) -> int:
        changed = replace_rows(table, *args, merged=merged)
        if table.name == "windows":
            clock.seconds += LEASE_SECONDS
            held(place, dead=holder_of(place)).release()
        return changed

    replace_rows = writer_module.replace_rows
    with index.writer() as writer, monkeypatch.context() as patch:
        patch.setattr(writer_module, "replace_rows", replace_and_lose)
        # Else the thread of the pictures may renew the lease in the middle of that.
        patch.setattr(writer_module, "side_by_side", lambda *calls: [call() for call in calls])
        with pytest.raises(IndexLockedError):
            writer.add([random_video("/v/1.mp4")])
    assert len(index.videos()) == 1
    with index.writer() as writer:  # which forgets the half batch
        assert writer.finish().stats.windows == 2


def test_three_writers_write_overlapping_batches_without_a_duplicate(
    place: Bucket, other_machines: None
) -> None:
    new_index(place.location)
    together = Barrier(3, timeout=60)

    def write(number: int) -> None:
        index = VideoIndex(place.location)
        together.wait()
        for half in range(2):
            with index.writer(wait_seconds=-1) as writer:
                for batch in range(4 * half, 4 * half + 4):
                    files = range(batch + number, batch + number + 3)
                    writer.add([random_video(f"/v/{at}.mp4") for at in files])

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    index = VideoIndex(place.location)
    rows = index._store.table("windows").search().select(["path", "start_ms"]).to_list()
    expected = Counter((f"/v/{at}.mp4", ms) for at in range(12) for ms in (0, 12_000))
    assert Counter((row["path"], row["start_ms"]) for row in rows) == expected
    with index.writer() as writer:
        assert writer.finish().stats.videos == 12


def test_a_killed_holder_blocks_nobody_on_its_machine(
    place: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock.tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c", HOLDER, place.location]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "held\n"
            who = rf"process {holder.pid} on "
            with (
                pytest.raises(IndexLockedError, match=who),
                lock.writer_lock(place.location, wait_seconds=0, bucket=place),
            ):
                pass
            with pytest.raises(IndexLockedError, match=rf"{who}.*--wait 70"):  # from another machine
                held(place)
        finally:
            holder.kill()  # else leaving the block would wait for it
    with pytest.raises(IndexLockedError, match=who):  # only its own machine knows that it's dead
        held(place)
    with lock.writer_lock(place.location, wait_seconds=0, bucket=place) as mine:
        assert mine is not None
        mine.renew()
    held(place).release()


def test_a_note_that_cannot_be_read_is_another_process(storage: Storage, place: Bucket, clock: Clock) -> None:
    for content in (b"", b"[]", json.dumps({"holder": 1}).encode()):
        storage.client.put_object(Bucket=place.name, Key=f"index/{LEASE}", Body=content)
        with pytest.raises(IndexLockedError, match="is being written by another process"):
            Lease(place).acquire(0)
    Lease(place).acquire(-1)
