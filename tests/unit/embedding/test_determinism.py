"""The same files give the same bytes, whatever the order, the threads and the process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from videos import make_video

from centerclip import CenterCLIP, VideoEncoder
from centerclip.records import EncodedVideo

PRECISIONS = ("float32", "bfloat16", "int8")
Vectors = Mapping[str, np.ndarray]


def encode(
    folder: Path, precision: str = "float32", *, backwards: bool = False, workers: int = 2, batch: int = 2
) -> Vectors:
    """Return the vectors and segments of each file, [windows, 1 + S, E] float32."""
    model = CenterCLIP.from_pretrained("nano")
    encoder = VideoEncoder(
        model, device="cpu", precision=precision, window_seconds=2, workers=workers, batch_size=batch
    )
    encoded = {}
    for video in encoder.encode(sorted(folder.iterdir(), reverse=backwards)):
        assert isinstance(video, EncodedVideo)
        rows = [np.vstack([window.vector[None], window.segments]) for window in video.windows]
        encoded[video.info.path.name] = np.stack(rows)
    return encoded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of two windows each, which full batches divide."""
    folder = tmp_path_factory.mktemp("same")
    for number in range(3):
        make_video(folder / f"{number}.mp4", frames=30 + number, size=(96, 128))
    return folder


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_same_files_give_the_same_bytes(precision: str, folder: Path) -> None:
    first = encode(folder, precision)
    assert_equal(first, encode(folder, precision))
    assert_equal(first, encode(folder, precision, backwards=True, workers=4))


def test_another_process_with_other_threads_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}; from pathlib import Path\n"
        "import numpy as np; from test_determinism import encode\n"
        "np.savez(sys.argv[2], **encode(Path(sys.argv[1])))"
    )
    out = tmp_path / "other.npz"
    env = {**os.environ, "OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3"}
    subprocess.run([sys.executable, "-c", script, folder, out], env=env, check=True)
    with np.load(out) as stored:
        assert_equal(encode(folder), dict(stored))


def assert_equal(some: Vectors, others: Vectors) -> None:
    assert some.keys() == others.keys()
    for name, rows in some.items():
        assert rows.tobytes() == others[name].tobytes(), name


@pytest.mark.parametrize("precision", PRECISIONS)
def test_another_batch_size_only_rounds_otherwise(precision: str, folder: Path) -> None:
    first, other = encode(folder, precision), encode(folder, precision, batch=3)
    for name, rows in first.items():
        cosines = (rows * other[name]).sum(-1)
        assert cosines.min() > (1 - 1e-6 if precision == "float32" else 1 - 1e-3)
