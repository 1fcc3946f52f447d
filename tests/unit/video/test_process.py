"""Worker processes: what a file can do to them, and what it can't do to anything else."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile_decoder import hostile_workers
from videos import number_of

from centerclip.errors import VideoError
from centerclip.video import Decoders, VideoReader, process, stop_readers
from centerclip.video.process import StoppedError
from centerclip.video.reader import read_recorded

Maker = Callable[[str], Path]
INSTANTS = np.linspace(0, 3.9, 12)


@pytest.fixture
def hostile(video: Maker, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Make a good file whose name makes its decoder misbehave; every worker is of that kind."""
    with hostile_workers():
        yield lambda name: Path(shutil.copy(video("h264.mp4"), tmp_path / name))


def read(path: Path) -> list[int]:
    with VideoReader(path) as reader:
        return [number_of(picture) for _, picture in reader.frames_at(INSTANTS)]


def idle() -> list[int]:
    return [worker._process.pid for worker in Decoders._idle]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crashes.mp4", r"crashes\.mp4: its decoder crashed \(Segmentation fault\)$"),
        ("open-crashes.mp4", r"its decoder crashed \(Segmentation fault\)$"),
        ("hangs.mp4", r"hangs\.mp4: its decoder was silent for 0\.5 seconds$"),
        ("hangs-with-the-lock.mp4", "its decoder was silent for"),
        ("open-hangs.mp4", "its decoder was silent for"),
        ("grows.mp4", r"grows\.mp4: decoding it takes too much memory$"),
        ("computes.mp4", r"computes\.mp4: decoding it takes too much processor time$"),
    ],
)
def test_a_bad_file_costs_one_file(
    name: str, reason: str, hostile: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "hangs" in name:
        read(hostile("good.mp4"))  # starting Python may be silent for as long
        monkeypatch.setattr(process, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr("centerclip.video.reader.BUDGET_SECONDS", 1 if "computes" in name else 60)
    with pytest.raises(VideoError, match=reason):
        read(hostile(name))
    monkeypatch.undo()
    assert read(hostile("good.mp4"))[::11] == [0, 39]


def test_a_worker_that_takes_long_to_end_is_given_to_no_other_file(
    hostile: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = hostile("good.mp4"), hostile("open-grows-and-lingers.mp4")
    read(good)  # starting Python may be silent for as long
    monkeypatch.setattr(process, "SILENT_SECONDS", 5.0)
    with pytest.raises(VideoError, match="decoding it takes too much memory$"):
        read(bad)
    assert not idle()
    assert read_recorded(good) is None


def test_a_single_crash_is_forgiven(hostile: Maker) -> None:
    assert read(hostile("crashes-once.mp4")) == read(hostile("good.mp4"))
    assert read(hostile("open-crashes-once.mp4")) == read(hostile("good.mp4"))


def test_workers_are_used_again(video: Maker) -> None:
    read(video("h264.mp4"))
    before = idle()
    assert before
    for _ in range(3):
        read(video("h264.mp4"))
    assert idle() == before
    with VideoReader(video("h264.mp4")), VideoReader(video("h264.mp4")):
        pass
    assert len(idle()) >= 2


def test_a_file_that_cannot_be_read_leaves_a_usable_worker(video: Maker, tmp_path: Path) -> None:
    read(video("h264.mp4"))
    before = idle()
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match=r"text\.mp4: is not a video"):
        VideoReader(tmp_path / "text.mp4")
    assert idle() == before


def test_kept_pictures_keep_their_content(video: Maker) -> None:
    with VideoReader(video("h264.mp4")) as reader:
        kept = [picture[1:, ::2] for _, picture in reader.frames_at(INSTANTS)]
        again = [picture.copy()[1:, ::2] for _, picture in reader.frames_at(INSTANTS)]
    read(video("every-frame-a-key.mp4"))
    assert all(np.array_equal(*pair) for pair in zip(kept, again, strict=True))


def test_memory_is_shared_and_used_again(video: Maker) -> None:
    Decoders.end_idle()
    with VideoReader(video("h264.mp4")) as reader:
        for _ in range(5):
            for _, picture in reader.frames_at(INSTANTS):
                assert picture.flags.writeable
        del picture
        gc.collect()
        assert len(reader._worker._slots._files) <= 3


def test_a_reader_closed_in_the_middle_leaves_a_usable_worker(video: Maker) -> None:
    for _ in range(2):
        with VideoReader(video("h264.mp4")) as reader:
            shown = reader.frames_at(INSTANTS)
            assert number_of(next(shown)[1]) == 0
        assert read(video("h264.mp4"))[-1] == 39
    with pytest.raises((StopIteration, VideoError)):
        next(shown)


def test_another_reader_of_the_file_need_not_scan_it(video: Maker) -> None:
    with VideoReader(video("h264.mp4")) as first:
        packets = first.packets()
        with VideoReader(video("h264.mp4"), packets=packets) as second:
            for one, other in zip(first.frames_at(INSTANTS), second.frames_at(INSTANTS), strict=True):
                assert one[0] == other[0]
                assert np.array_equal(one[1], other[1])


def test_relative_paths_are_of_the_callers_folder(
    video: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(video("h264.mp4"))  # a worker that was started elsewhere
    shutil.copy(video("h264.mp4"), tmp_path / "here.mp4")
    monkeypatch.chdir(tmp_path)
    assert read(Path("here.mp4"))[-1] == 39
    with pytest.raises(VideoError, match=r"^gone\.mp4: there is no such file$"):
        read(Path("gone.mp4"))


@pytest.mark.parametrize("name", ["hangs.mp4", "hangs-with-the-lock.mp4", "open-hangs.mp4"])
def test_decoders_can_be_stopped_while_they_hang(name: str, hostile: Maker) -> None:
    decoders = Decoders()
    errors: list[BaseException] = []
    begun = threading.Event()

    def work() -> None:
        try:
            begun.set()
            with VideoReader(hostile(name), decoders) as reader:
                list(reader.frames_at(INSTANTS))
        except StoppedError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    while not decoders._used and thread.is_alive():
        time.sleep(0.001)
    decoders.stop()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert len(errors) == 1
    with pytest.raises(StoppedError):
        VideoReader(hostile("good.mp4"), decoders)


def test_all_readers_can_be_stopped(hostile: Maker) -> None:
    with VideoReader(hostile("good.mp4")) as reader:
        stop_readers()
        with pytest.raises(StoppedError):
            list(reader.frames_at(INSTANTS))
    assert read(hostile("good.mp4"))[-1] == 39


def test_ctrl_c_reaches_no_worker(video: Maker) -> None:
    with VideoReader(video("h264.mp4")) as reader:
        os.kill(reader._worker._process.pid, signal.SIGINT)
        assert len(list(reader.frames_at(INSTANTS))) == 12


def test_a_pickled_user_has_workers_of_its_own() -> None:
    decoders = Decoders()
    decoders.stop()
    other = pickle.loads(pickle.dumps(decoders))
    other.give_back(other.take())


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "raise SystemExit"])
def test_workers_end_with_their_parent(end: str, video: Maker) -> None:
    script = (
        "import os, sys; from centerclip.video import VideoReader\n"
        "reader = VideoReader(sys.argv[1]); print(reader._worker._process.pid, flush=True)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", script + end, video("h264.mp4")], capture_output=True, text=True, check=False
    )
    worker = int(parent.stdout)
    for _ in range(1000):
        try:
            state = Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.01)
    pytest.fail("the worker still runs")


def test_a_forked_child_leaves_the_workers_to_its_parent(video: Maker) -> None:
    read(video("h264.mp4"))
    before = idle()
    child = os.fork()
    if child == 0:
        os._exit(0 if not idle() and read(video("h264.mp4"))[-1] == 39 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert read(video("h264.mp4"))[-1] == 39
    assert idle() == before


def test_handles_are_released(hostile: Maker) -> None:
    def handles() -> int:
        gc.collect()
        Decoders.end_idle()
        return len(os.listdir("/proc/self/fd"))

    before = handles()
    for name in ("good.mp4", "crashes.mp4", "grows.mp4", "open-crashes.mp4"):
        path = hostile(name)
        try:
            read(path)
        except VideoError:
            assert name != "good.mp4"
    assert handles() == before
