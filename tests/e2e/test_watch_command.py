"""`centerclip index --watch`: the real command follows a folder, whatever happens to it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import IO

import pytest
from command_line import Run, assert_refused
from videos import make_video

from centerclip.index import VideoIndex

BURST = 500
PATIENCE_SECONDS = 240
"""How long an event may take; reaching it is a failure."""


class Watching:
    """The command at work; rows and messages arrive in queues."""

    def __init__(self, *args: str | Path) -> None:
        program = str(Path(sys.executable).with_name("centerclip"))
        self.process = subprocess.Popen(
            [program, "index", *map(str, args), "--watch"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.rows: Queue[tuple[str, str]] = Queue()
        self.messages: Queue[str] = Queue()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.threads = [
            Thread(target=self._follow_rows, args=(self.process.stdout,)),
            Thread(target=self._follow_messages, args=(self.process.stderr,)),
        ]
        for thread in self.threads:
            thread.start()

    def _follow_rows(self, stream: IO[str]) -> None:
        for line in stream:
            state, path, *_ = line.split("\t")
            self.rows.put((state, Path(path).name))

    def _follow_messages(self, stream: IO[str]) -> None:
        for line in stream:
            self.messages.put(line)

    def next(self) -> tuple[str, str]:
        """Return the next state and file name."""
        return self.rows.get(timeout=PATIENCE_SECONDS)

    def said(self, text: str) -> str:
        """Wait until a message contains a text."""
        while text not in (line := self.messages.get(timeout=PATIENCE_SECONDS)):
            pass
        return line

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE_SECONDS)
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=6)


@pytest.fixture
def folder(clip: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    copy(clip, folder / "first.mp4", 0)
    return folder


@pytest.fixture
def watching(folder: Path) -> Iterator[Watching]:
    """The command, once it has indexed `first.mp4`; its index is in the folder that it watches."""
    made = Watching(folder, "--model", "nano", "--index", folder / "an index", "--prune")
    try:
        assert made.next() == ("indexed", "first.mp4")
        made.said("Watching")
        yield made
    finally:
        made.close()


def copy(clip: Path, target: Path, number: int) -> None:
    """Copy a clip that is complete at once, and differs from the others."""
    part = target.with_name(f".{target.name}")
    shutil.copy(clip, part)
    with part.open("ab") as file:
        file.write(b"\x00\x00\x00\x0cfree" + number.to_bytes(4))
    os.utime(part, (number, 1_600_000_000 + number))
    part.rename(target)


def names(folder: Path) -> set[str]:
    return {video.info.path.name for video in VideoIndex(folder / "an index", create=False).videos()}


def test_files_that_come_grow_and_go_are_followed(watching: Watching, folder: Path, clip: Path) -> None:
    copy(clip, folder / "second.mp4", 1)
    assert watching.next() == ("indexed", "second.mp4")

    content, pace = clip.read_bytes(), Event()
    with (folder / "slow.mp4").open("wb", buffering=0) as slow:
        for part in range(12):  # half a second each, so longer than a file must rest
            slow.write(content[part * len(content) // 12 : (part + 1) * len(content) // 12])
            pace.wait(0.5)
    assert watching.next() == ("indexed", "slow.mp4")

    (folder / "second.mp4").unlink()
    assert watching.next() == ("removed", "second.mp4")
    (folder / "slow.mp4").rename(folder / "renamed.mp4")
    assert watching.next() == ("moved", "renamed.mp4")
    (folder / "below").mkdir()
    (folder / "below" / "broken.mp4").write_bytes(b"no video")
    assert watching.next() == ("failed", "broken.mp4")

    assert watching.stop() == 130
    assert watching.rows.empty()
    assert names(folder) == {"first.mp4", "renamed.mp4", "broken.mp4"}
    assert watching.said("Stopped.")


def test_a_burst_of_files_is_indexed(watching: Watching, folder: Path, clip: Path) -> None:
    (folder / "burst").mkdir()
    for number in range(BURST):
        copy(clip, folder / "burst" / f"{number}.mp4", number)
    assert {watching.next() for _ in range(BURST)} == {("indexed", f"{n}.mp4") for n in range(BURST)}
    assert watching.stop(signal.SIGTERM) == 143
    assert watching.rows.empty()
    assert len(names(folder)) == BURST + 1


def test_stopping_in_the_middle_of_a_burst_keeps_what_was_reported(
    watching: Watching, folder: Path, clip: Path
) -> None:
    for number in range(BURST // 4):
        copy(clip, folder / f"{number}.mp4", number)
    reported = {watching.next()[1]}
    assert watching.stop() == 130
    while not watching.rows.empty():
        reported.add(watching.next()[1])
    assert names(folder) == reported | {"first.mp4"}


def test_a_folder_that_vanishes_keeps_its_videos_and_is_followed_when_it_is_back(
    folder: Path, clip: Path, tmp_path: Path
) -> None:
    other, index = tmp_path / "other", tmp_path / "index"
    other.mkdir()
    later = tmp_path / "later"
    watching = Watching(folder, other, later, "--model", "nano", "--index", index, "--prune")
    try:
        assert watching.next() == ("indexed", "first.mp4")
        watching.said("Watching")
        folder.rename(tmp_path / "away")
        assert "its videos stay in the index" in watching.said(f"{folder} isn't there any more")
        copy(clip, other / "other.mp4", 1)  # a run that doesn't see the folder
        assert watching.next() == ("indexed", "other.mp4")
        folder.mkdir()  # where a disk isn't mounted
        copy(clip, other / "again.mp4", 2)
        assert watching.next() == ("indexed", "again.mp4")
        folder.rmdir()
        copy(clip, tmp_path / "away" / "new.mp4", 3)
        (tmp_path / "away").rename(folder)
        assert watching.next() == ("indexed", "new.mp4")
        later.mkdir()
        copy(clip, later / "later.mp4", 4)
        assert watching.next() == ("indexed", "later.mp4")
        assert watching.stop() == 130
        assert watching.rows.empty()
    finally:
        watching.close()
    found = VideoIndex(index, create=False).videos()
    assert {video.info.path.name for video in found} == {
        "first.mp4",
        "new.mp4",
        "other.mp4",
        "again.mp4",
        "later.mp4",
    }


def test_polling_follows_too(folder: Path, clip: Path) -> None:
    index = folder / "an index"
    watching = Watching(folder, "--model", "nano", "--index", index, "--poll", "0.5", "--prune")
    try:
        assert watching.next() == ("indexed", "first.mp4")
        assert "every 0.5 seconds" in watching.said("Watching")
        copy(clip, folder / "second.mp4", 1)
        assert watching.next() == ("indexed", "second.mp4")
        (folder / "first.mp4").unlink()
        assert watching.next() == ("removed", "first.mp4")
        assert watching.stop() == 130
    finally:
        watching.close()


def test_wrong_usage_is_refused(run: Run, tmp_path: Path) -> None:
    for args, message in (
        (["--poll", "1"], "--poll needs --watch"),
        (["--watch", "--retry-failed"], "--watch and --retry-failed exclude each other"),
    ):
        assert_refused(run, message, "index", tmp_path, *args, code=2)
    assert_refused(run, "there is no such file or folder", "index", tmp_path / "none", "--watch")
