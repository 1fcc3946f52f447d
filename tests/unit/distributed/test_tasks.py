"""What a worker does with its shard, without Ray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_models import clip_model
from videos import make_video
from web_files import WebFiles, web_files

from centerclip.distributed import task
from centerclip.distributed.recipe import versions_of
from centerclip.distributed.task import Step, encode_shard
from centerclip.embedding import VideoEncoder
from centerclip.model import CenterCLIP
from centerclip.records import EncodedVideo, Failed
from centerclip.remote import Address, web


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebFiles]:
    monkeypatch.setattr(web, "BACKOFF_SECONDS", 0.0)
    make_video(tmp_path / "a.mp4", frames=12)
    with web_files(tmp_path) as state:
        yield state


def test_videos_at_addresses_are_read_by_the_node(site: WebFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()
    encoder = VideoEncoder(model, device="cpu", precision="float32", window_seconds=2, workers=1)
    monkeypatch.setattr(task, "_encoder", lambda _: encoder)
    place, gone = site.address("a.mp4"), site.address("gone.mp4")
    found = {}
    for step in encode_shard([(place, None), (gone, None)], [None], versions_of("torch"), "torch"):
        assert isinstance(step, Step)
        found |= {str(result.path): result for result in step.results}
    assert found.keys() == {place, gone}
    assert all(isinstance(result.path, Address) for result in found.values())
    lost, made = found[gone], found[place]
    assert isinstance(lost, Failed)
    assert "it isn't there" in lost.reason
    assert isinstance(made, EncodedVideo)
    (here,) = encoder.embed([task.Item(site.folder / "a.mp4")])
    assert isinstance(here, EncodedVideo)
    assert made.info.video_id == here.info.video_id
    for one, other in zip(made.windows, here.windows, strict=True):
        assert np.array_equal(one.vector, other.vector)
