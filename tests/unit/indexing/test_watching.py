"""When a run is due: after bursts, once files are complete, and whatever happens to the folders."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import watchfiles

from centerclip.index import FileStamp
from centerclip.indexing import FolderWatch, watching
from centerclip.indexing.mounts import is_on_network, may_be_unmounted, network_mounts

OLD = 1_600_000_000.0

MOUNTS = """22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/my\\040films rw,relatime shared:5 - nfs4 server:/films rw
31 22 0:41 / /home/me/cloud rw,nosuid - fuse.rclone remote: rw
32 22 8:2 / /data rw - fuseblk /dev/sdb1 rw
"""


class Clock:
    """Time that passes only when somebody waits for events."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.events: list[tuple[float, set[str]]] = []
        self.acts: list[tuple[float, Callable[[], object]]] = []
        self.is_stopped = False

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        self.acts.append((1000.0 + seconds, act))

    def watch(self, *paths: Path, **more: Any) -> Any:
        while not self.is_stopped:
            self.now += 0.5
            assert self.now < 2000, "nothing was due"
            due = [act for when, act in self.acts if when <= self.now]
            self.acts = [(when, act) for when, act in self.acts if when > self.now]
            yield {(watchfiles.Change.modified, str(path)) for act in due if (path := act()) is not None}

    @property
    def seconds(self) -> float:
        return self.now - 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(watchfiles, "watch", clock.watch)
    return clock


def write(path: Path, text: str = "x", *, modified: float | None = None) -> Path:
    path.write_text(text)
    if modified is not None:
        os.utime(path, (modified, modified))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "videos" / ".hidden").mkdir(parents=True)
    return tmp_path / "videos"


def watch_of(folder: Path, clock: Clock, **more: Any) -> FolderWatch:
    place = str(folder / "index")
    return FolderWatch([folder], without=place, should_stop=lambda: clock.is_stopped, **more)


def test_a_burst_is_one_run(folder: Path, clock: Clock) -> None:
    for number in range(8):
        clock.at(1.0 + number, lambda n=number: write(folder / f"{n}.mp4", modified=OLD))
    with watch_of(folder, clock) as watch:
        assert watch.wait()
        assert 10.0 <= clock.seconds <= 10.5  # two seconds after the last change
        clock.at(20.0, lambda: setattr(clock, "is_stopped", True))
        assert not watch.wait()


def test_an_endless_burst_is_acted_on(folder: Path, clock: Clock) -> None:
    for number in range(100):
        clock.at(1.0 + number, lambda n=number: write(folder / f"{n}.mp4"))
    with watch_of(folder, clock) as watch:
        assert watch.wait()
        assert clock.seconds <= 12


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("a.mp4", True),
        ("a.MKV", True),
        ("notes.txt", False),
        ("film.en.srt", True),
        (".hidden/a.mp4", False),
        (".a.mp4.part", False),
        ("index/windows.lance/x.mp4", False),
        ("index", False),
        ("index of films", True),
        ("gone.2024", True),
        (".", True),
        ("../other/a.mp4", False),
    ],
)
def test_only_changes_that_may_concern_videos_count(
    folder: Path, clock: Clock, name: str, counts: bool
) -> None:
    if name in ("notes.txt", "film.en.srt"):
        write(folder / name)
    clock.at(1.0, lambda: Path(os.path.normpath(folder / name)))
    clock.at(30.0, lambda: setattr(clock, "is_stopped", True))
    with watch_of(folder, clock) as watch:
        assert watch.wait() == counts


def test_changes_of_the_index_dont_count_through_links_either(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    for root, place in ((link, folder / "index"), (link, link / "index"), (folder, link / "index")):
        with FolderWatch([root], without=str(place), should_stop=lambda: True) as watch:
            assert not watch._counts(str(root / "index" / "windows.lance"))
            assert watch._counts(str(root / "index 2"))


def test_a_file_that_is_written_slowly_is_left_until_it_rests(folder: Path, clock: Clock) -> None:
    slow = folder / "slow.mp4"
    now = time.time()
    for number in range(30):
        clock.at(1.0 + number, lambda n=number: write(slow, "x" * n, modified=now + n))
    clock.at(3.0, lambda: write(folder / "quick.mp4", modified=OLD))
    with watch_of(folder, clock) as watch:
        runs = 0
        while watch.wait():
            runs += 1
            quick = FileStamp.of(folder / "quick.mp4") if (folder / "quick.mp4").exists() else None
            assert quick is None or not watch.is_growing(quick)
            if not watch.is_growing(FileStamp.of(slow)):
                break
        assert 32.0 <= clock.seconds <= 34.0
        assert slow.read_text() == "x" * 29
        assert runs == 2  # changes of a file that is known to grow start no run
        assert not watch._growing


def test_a_growing_file_that_vanishes_is_forgotten(folder: Path, clock: Clock) -> None:
    slow = write(folder / "slow.mp4")
    with watch_of(folder, clock) as watch:
        assert watch.is_growing(FileStamp.of(slow))
        slow.unlink()
        clock.at(10.0, lambda: setattr(clock, "is_stopped", True))
        assert not watch.wait()
        assert not watch._growing


def test_a_file_server_may_have_another_clock(folder: Path, clock: Clock) -> None:
    behind = write(folder / "a.mp4", modified=time.time() - 40)
    with watch_of(folder, clock) as watch:
        assert not watch.is_growing(FileStamp.of(behind))
    with watch_of(folder, clock, poll_seconds=5.0) as watch:
        assert watch.is_growing(FileStamp.of(behind))
        assert watch.wait()
        assert not watch.is_growing(FileStamp.of(behind))


def test_a_folder_may_vanish_and_come_back(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.now > 1020:
            (folder.parent / "away").rename(folder)

    monkeypatch.setattr(watching.time, "sleep", sleep)
    clock.at(1.0, lambda: folder.rename(folder.parent / "away") and None)
    with watch_of(folder, clock) as watch:
        assert watch.wait()
        assert watch.present == []
        assert f"{folder} isn't there any more; its videos stay in the index" in caplog.text
        assert watch.wait()
        assert watch.present == [folder]
        assert 20 <= clock.seconds <= 24


def test_without_events_the_folders_are_polled(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def limited(*paths: Path, **more: Any) -> Any:
        asked.append(more["force_polling"])
        if not more["force_polling"]:
            raise OSError("the limit of watches is reached")
        yield from clock.watch(*paths)

    monkeypatch.setattr(watchfiles, "watch", limited)
    clock.at(1.0, lambda: write(folder / "a.mp4"))
    with watch_of(folder, clock) as watch:
        assert watch.wait()
        assert watch.poll_seconds == watching.POLL_SECONDS
    assert asked == [False, True]
    assert "no events of changes (the limit of watches is reached): looking every 30 seconds" in caplog.text


@pytest.mark.parametrize("poll_seconds", [None, 0.3])
def test_real_events_and_a_real_stop(folder: Path, poll_seconds: float | None) -> None:
    stop, came = Event(), Event()
    watch = FolderWatch([folder], without="/nowhere", poll_seconds=poll_seconds, should_stop=stop.is_set)

    def follow() -> None:
        while watch.wait():
            came.set()

    with watch:
        thread = Thread(target=follow)
        thread.start()
        (folder / "new" / "below").mkdir(parents=True)
        write(folder / "new" / "below" / "a.mp4")
        assert came.wait(30)
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def test_network_folders_are_known_by_their_file_system(tmp_path: Path) -> None:
    assert network_mounts(MOUNTS) == ["/mnt/my films", "/home/me/cloud"]
    table = write(tmp_path / "mountinfo", MOUNTS)
    for path, network in (
        ("/mnt/my films/2024", True),
        ("/mnt/my films", True),
        ("/mnt/my films too", False),
        ("/mnt", True),  # the mounted folder is below it
        ("/data/films", False),
    ):
        assert is_on_network(Path(path), table) == network, path
    assert not is_on_network(Path("/mnt/my films"), tmp_path / "none")


def test_an_empty_folder_may_be_where_a_disk_belongs(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    assert may_be_unmounted(tmp_path / "disk" / "2024" / "a.mp4")
    write(tmp_path / "disk" / "b.mp4")
    assert not may_be_unmounted(tmp_path / "disk" / "2024" / "a.mp4")
    assert not may_be_unmounted(tmp_path / "disk" / "a.mp4")
