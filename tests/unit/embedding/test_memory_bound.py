"""Only a few of a film's full pictures are in memory at once: what is kept has the model's size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_models import clip_model
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.embedding.decode import DecodedWindow, Decoder
from centerclip.model import CenterCLIP
from centerclip.records import EncodedVideo, Item
from centerclip.video import Decoders
from centerclip.video.sharing import SHARES_FILES

SIZE = (180, 320)
PER_WORKER = 4
"""Full pictures that a worker shares: the one it writes, the one that is resized, and the one that may become
a window's picture, besides the one that follows it."""


@pytest.fixture(scope="module")
def model() -> CenterCLIP:
    return CenterCLIP(clip_model(), "B2-2,8", frames=8).eval()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("film") / "film.mp4", frames=100, size=SIZE)


@pytest.fixture(autouse=True)
def _new_workers() -> Iterator[None]:
    """Workers of other tests have had other pictures."""
    Decoders.end_idle()
    yield
    Decoders.end_idle()


@pytest.mark.skipif(not SHARES_FILES, reason="pictures are sent instead of shared")
@pytest.mark.parametrize("workers", [1, 2])
def test_full_pictures_in_memory_are_bounded_by_the_workers(
    workers: int, model: CenterCLIP, film: Path
) -> None:
    encoder = VideoEncoder(model, device="cpu", precision="float32", window_seconds=2, workers=workers)
    (video,) = encoder.encode([film])
    assert isinstance(video, EncodedVideo)
    assert len(video.windows) == 5
    # Memory that was shared once stays with the worker, so in the end there is as much as at the peak.
    used = [worker._slots for worker in Decoders._idle]
    assert 1 <= len(used) <= workers
    picture = 3 * SIZE[0] * SIZE[1]
    assert all(picture <= slots.size_bytes <= PER_WORKER * picture for slots in used)


def test_windows_hold_frames_of_the_models_size_and_nothing_behind_them(
    model: CenterCLIP, film: Path
) -> None:
    height, width = model.image_size
    for window in Decoder(model.frames, model.preprocessing, 2.0, pictures=2)(Item(film)):
        assert isinstance(window, DecodedWindow)
        frames = window.frames
        assert frames.shape == (model.frames, 3, height, width)
        assert frames.dtype == torch.uint8
        assert frames.untyped_storage().nbytes() == frames.nbytes
