"""The OpenVINO tower equals torch's, and is refused where it can't work."""

from __future__ import annotations

import sys

import pytest
import torch
from tiny_models import clip_model

from centerclip.embedding import VideoEncoder
from centerclip.embedding.device import prepare
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP


def test_embeddings_equal_those_of_torch_for_any_number_of_videos() -> None:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4)
    encoder = VideoEncoder(model, device="cpu", precision="float32", backend="openvino")
    assert model.tower is None
    assert encoder.fingerprint == model.fingerprint()
    for videos in (1, 3):
        frames = torch.randn(videos, 4, 3, 16, 16)
        with torch.inference_mode():
            expected = model.encode_segments(frames)
            torch.testing.assert_close(encoder.model.encode_segments(frames), expected, rtol=0, atol=1e-5)


def test_impossible_settings_are_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CenterCLIP(clip_model())
    with pytest.raises(ConfigError, match="torch, openvino"):
        VideoEncoder(model, device="cpu", backend="onnx")
    with pytest.raises(ConfigError, match="not on cuda"):
        prepare(model, torch.device("cuda"), "float32", "openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match=r"centerclip\[openvino\]"):
        VideoEncoder(model, device="cpu", backend="openvino")
