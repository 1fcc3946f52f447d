"""Files that crash, hang or bloat their decoder cost one file each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile_decoder import hostile_workers
from test_sync import make_encoder, states
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.indexing import FileResult, SyncOptions, SyncProgress, sync, writing
from centerclip.video import process, reader

GOOD = [f"good-{number}.mp4" for number in range(6)]  # two full batches, which a hang does not hold up
BAD = {
    "crashes.mp4": "its decoder crashed (Segmentation fault)",
    "grows.mp4": "decoding it takes too much memory",
    "hangs.mp4": "its decoder was silent for 5 seconds",
    "open-computes.mp4": "decoding it takes too much processor time",
}


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    return make_encoder()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Make a folder of videos, some of which are hostile by their names."""

    def make(*names: str) -> Path:
        (tmp_path / "videos").mkdir(exist_ok=True)
        for number, name in enumerate(names):
            make_video(tmp_path / "videos" / name, frames=10 + number)
        return tmp_path / "videos"

    with hostile_workers():
        yield make


def test_they_are_recorded_as_failed_and_skipped_from_then_on(
    encoder: VideoEncoder, folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SILENT_SECONDS", 5.0)
    monkeypatch.setattr(reader, "BUDGET_SECONDS", 1)
    videos, index = folder(*BAD, *GOOD), VideoIndex(tmp_path / "index")
    results = list(sync(index, [videos], encoder))
    assert states(results) == dict.fromkeys(BAD, "failed") | dict.fromkeys(GOOD, "indexed")
    assert {result.path.name: result.reason for result in results if result.reason} == BAD
    again = list(sync(index, [videos], encoder))
    assert states(again) == dict.fromkeys(BAD, "skipped") | dict.fromkeys(GOOD, "unchanged")


def test_what_is_encoded_is_written_during_a_hang_and_the_run_can_be_stopped(
    encoder: VideoEncoder, folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SILENT_SECONDS", 3600.0)
    monkeypatch.setattr(writing, "_BATCH_SECONDS", 0.0)
    videos, index = folder("hangs.mp4", *GOOD), VideoIndex(tmp_path / "index")
    encoded, stop = threading.Event(), threading.Event()
    results: list[FileResult] = []

    def watch(progress: SyncProgress) -> None:
        if progress.files == len(GOOD):
            encoded.set()

    options = SyncOptions(on_progress=watch, should_stop=stop.is_set)
    run = threading.Thread(target=lambda: results.extend(sync(index, [videos], encoder, options)))
    run.start()
    assert encoded.wait(timeout=60)
    while len(index.videos()) < len(GOOD):
        run.join(timeout=0.05)
        assert run.is_alive()
    stop.set()
    run.join(timeout=30)
    assert not run.is_alive()
    assert states(results) == dict.fromkeys(GOOD, "indexed")
