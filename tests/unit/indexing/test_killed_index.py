"""A run of indexing that is killed without warning, and the run after it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import clip_model
from videos import make_video

from centerclip.embedding import VideoEncoder, decode
from centerclip.index import VideoIndex
from centerclip.indexing import Progress, SyncOptions, sync, writing
from centerclip.model import CenterCLIP
from centerclip.video import VideoReader

FILES = 12


def make_encoder() -> VideoEncoder:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()
    return VideoEncoder(model, device="cpu", precision="float32", window_seconds=1, workers=2, batch_size=3)


def index_until_killed(folder: Path, location: Path) -> None:
    """Index with a batch every few windows, print what is reported, and stand still near the end."""
    writing._BATCH_WINDOWS = 4

    def stand_still(progress: Progress) -> None:
        if progress.files >= FILES - 3:
            print("standing", flush=True)
            signal.pause()

    for result in sync(VideoIndex(location), [folder], make_encoder(), SyncOptions(on_progress=stand_still)):
        print(result.path.name, flush=True)


def rows(index: VideoIndex) -> dict[tuple[str, float], np.ndarray]:
    """Every window's vector and segments, by file name and start."""
    windows = [window for video in index.videos() for window in index.windows(video.info.video_id)]
    return {
        (window.path.name, window.window.start_seconds): np.vstack([window.vector, window.segments])
        for window in windows
    }


def test_a_killed_run_loses_nothing_it_reported_and_the_next_one_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(FILES):
        make_video(folder / f"{number:02}.mp4", frames=6 + 3 * number)
    program = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n"
        "from pathlib import Path; from test_killed_index import index_until_killed\n"
        f"index_until_killed(Path({str(folder)!r}), Path({str(tmp_path / 'index')!r}))"
    )
    reported = []
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "standing\n":
                process.kill()
                break
            reported.append(line.strip())
    assert process.returncode == -signal.SIGKILL
    assert reported

    opened = []

    def read(path: Path) -> VideoReader:
        opened.append(path.name)
        return VideoReader(path)

    monkeypatch.setattr(decode, "VideoReader", read)
    index, untouched = VideoIndex(tmp_path / "index"), VideoIndex(tmp_path / "untouched")
    list(sync(index, [folder], make_encoder()))
    assert not set(reported) & set(opened)
    assert len(opened) < FILES

    list(sync(untouched, [folder], make_encoder()))
    found, expected = rows(index), rows(untouched)
    assert found.keys() == expected.keys()
    assert len(index) == len(untouched) == len(expected)
    for key, vectors in expected.items():
        np.testing.assert_allclose(found[key], vectors, atol=1e-3)  # segments are stored in float16
