"""One writer at a time, and no lock outlives its holder."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from random_videos import new_index, random_video

from centerclip.errors import IndexLockedError, IndexStoreError
from centerclip.index import VideoIndex, lock
from centerclip.index.lock import writer_lock

# Runs the module alone, because importing the package takes long.
HOLDER = f"""
import runpy, sys, time
writer_lock = runpy.run_path({lock.__file__!r})["writer_lock"]
with writer_lock(sys.argv[1], wait_seconds=0):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def lock_once(location: str | Path, *, wait_seconds: float = 0) -> None:
    with writer_lock(str(location), wait_seconds=wait_seconds):
        pass


@contextmanager
def held(folder: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock; killed at the end."""
    command = [sys.executable, "-c", HOLDER, str(folder), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_a_second_writer_learns_who_holds_it(tmp_path: Path) -> None:
    with held(tmp_path, 60) as holder:
        who = rf"process {holder.pid} on {socket.gethostname()}, since \d{{4}}-.*--index"
        with pytest.raises(IndexLockedError, match=who):
            lock_once(tmp_path)


def test_a_killed_holder_blocks_nobody(tmp_path: Path) -> None:
    with held(tmp_path, 60):
        assert (tmp_path / ".writer.json").exists()
    lock_once(tmp_path)


def test_a_waiting_writer_gets_it_afterwards(tmp_path: Path) -> None:
    with held(tmp_path, 0.3):
        lock_once(tmp_path, wait_seconds=-1)
    assert list(tmp_path.glob("*.json")) == []


def test_two_writers_in_one_process_exclude_each_other_and_readers_go_on(tmp_path: Path) -> None:
    first, second = new_index(tmp_path), VideoIndex(tmp_path)
    with first.writer() as writer:
        writer.add([random_video("/v/a.mp4")])
        with pytest.raises(IndexLockedError, match=f"process {os.getpid()} "), second.writer():
            pass
        assert len(second) == 2
    with second.writer() as writer:
        writer.add([random_video("/v/b.mp4")])
    assert len(first) == 4


def test_an_error_releases_the_lock(tmp_path: Path) -> None:
    index = new_index(tmp_path)
    with pytest.raises(KeyboardInterrupt), index.writer():
        raise KeyboardInterrupt
    with index.writer():
        pass


def test_a_holder_without_a_readable_note_is_another_process(tmp_path: Path) -> None:
    with writer_lock(str(tmp_path), wait_seconds=0):
        (tmp_path / ".writer.json").write_text("{")
        with pytest.raises(IndexLockedError, match="by another process"):
            lock_once(tmp_path)


def test_a_location_that_is_not_writable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IndexStoreError, match="can't be written"):
        lock_once(tmp_path / "file" / "index")
