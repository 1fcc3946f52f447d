"""Readers of a local index take turns, so that the store doesn't start a thread for each of their parts."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from random_videos import new_index, random_video

from centerclip.index import VideoIndex, store


def test_as_many_read_at_once_as_there_are_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_index(tmp_path / "index", random_video("/v/a.mp4"))
    monkeypatch.setattr(store, "available_cores", lambda: 3)
    index = VideoIndex(tmp_path / "index")
    lock, inside, most = threading.Lock(), 0, 0

    def read() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        index.videos()  # a reader that reads more doesn't wait for itself
        time.sleep(0.02)
        with lock:
            inside -= 1

    threads = [threading.Thread(target=lambda: index._twice(read)) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert most == 3
