"""The towers in int8 and on OpenVINO, compared with torch's in float32."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from pe_core_models import pe_core
from tiny_models import FAMILIES, clip_model, siglip_model
from torch import Tensor, nn

from centerclip.clustering import Tokens
from centerclip.embedding import VideoEncoder, openvino
from centerclip.embedding.device import precision_of, prepare
from centerclip.embedding.int8 import Int8Tower
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP
from centerclip.model.backbones import CLIPBackbone
from centerclip.model.pe_core import PECore

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("make", "schedule", "reducer", "least"),
    # The worst of 2,400 segments was at 0.9987 and 0.9991: tiny models with widely drawn weights suffer more
    # from rounding than large ones. With a reduction, rounding may change one of their few medoids.
    [
        (clip_model, "none", "kmedoids", 0.998),
        (siglip_model, "none", "kmedoids", 0.998),
        (clip_model, "B2-2,8", "kmedoids", 0.9),
        (clip_model, "B2-2,8", "kmedoids(weighted=true)", 0.9),
    ],
)
def test_embeddings_are_close_to_those_of_float32_but_not_equal(
    make: Callable[[], nn.Module], schedule: str, reducer: str, least: float
) -> None:
    model = CenterCLIP(make(), schedule, reducer=reducer, frames=4)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    rounded = prepare(model, CPU, "int8")
    frames = torch.randn(20, 4, 3, 16, 16)
    with torch.inference_mode():
        exact, near = model.encode_segments(frames), rounded.encode_segments(frames)
    assert float((exact * near).sum(-1).min()) > least
    assert not torch.equal(exact, near)
    assert model.tower is None
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())


def test_weights_are_rounded_separately_for_each_output() -> None:
    """One large weight must not cost the other outputs their precision."""
    model = CenterCLIP(clip_model(), "none", frames=2)
    layer = model.backbone.layers[0].mlp.fc1
    with torch.no_grad():
        layer.weight[0, 0] = 1000.0
    inner = Int8Tower(model.backbone).backbone.layers[0].mlp.fc1
    x = torch.rand(5, layer.in_features)
    with torch.inference_mode():
        wanted, given = layer(x), inner(x)
    scale = wanted[:, 1:].abs().max()
    torch.testing.assert_close(given[:, 1:], wanted[:, 1:], rtol=0, atol=0.03 * float(scale))


def test_an_embedding_does_not_depend_on_the_rest_of_its_batch() -> None:
    model = prepare(CenterCLIP(clip_model(), "none", frames=4), CPU, "int8")
    frames = torch.randn(3, 4, 3, 16, 16)
    frames[1] *= 100
    with torch.inference_mode():
        together = model.encode_segments(frames)
        torch.testing.assert_close(model.encode_segments(frames[:1]), together[:1], rtol=0, atol=1e-5)


def test_the_card_states_the_precision() -> None:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4)
    for precision, stated in (("int8", "int8"), ("float32", "float"), ("bfloat16", "float")):
        encoder = VideoEncoder(model, device="cpu", precision=precision)
        assert precision_of(encoder.model) == precision
        assert encoder.card().precision == stated
        assert encoder.fingerprint == model.fingerprint()


@pytest.mark.parametrize("reducer", ["kmedoids", "kmedoids(weighted=true)"])
def test_openvino_equals_torch_for_any_number_of_videos(reducer: str) -> None:
    model = CenterCLIP(clip_model(), "B2-2,8", reducer=reducer, frames=4)
    encoder = VideoEncoder(model, device="cpu", precision="float32", backend="openvino")
    assert model.tower is None
    assert encoder.fingerprint == model.fingerprint()
    for videos in (1, 3):
        frames = torch.randn(videos, 4, 3, 16, 16)
        with torch.inference_mode():
            expected = model.encode_segments(frames)
            torch.testing.assert_close(encoder.model.encode_segments(frames), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("precision", "family"),
    [("float32", family) for family in ("siglip", "metaclip_2", "chinese_clip", "altclip")]
    + [("int8", family) for family in ("clip", "siglip", "pe_core")],
)  # the tests beside this one and in test_pe_core.py have the others
def test_every_family_runs_on_openvino(precision: str, family: str) -> None:
    pytest.importorskip("openvino")
    torch.manual_seed(0)  # for weights as wide as trained ones
    tower = PECore(pe_core().config).eval() if family == "pe_core" else FAMILIES[family][0]()
    model = CenterCLIP(tower, "none", frames=4)
    translated = prepare(model, CPU, precision, "openvino")
    assert precision_of(translated) == precision
    frames = torch.randn(2, 4, 3, 16, 16)
    with torch.inference_mode():
        exact, near = model.encode_segments(frames), translated.encode_segments(frames)
    least = 1 - 1e-6 if precision == "float32" else 0.995  # tiny models suffer more than large ones
    assert float((exact * near).sum(-1).min()) > least
    assert torch.allclose(exact, near, rtol=0, atol=1e-5) == (precision == "float32")


def test_several_threads_share_a_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CenterCLIP(clip_model(), "B2-2,8", reducer="sample", frames=4)
    translated = prepare(model, CPU, "float32", "openvino", side_by_side=True)
    assert prepare(translated, CPU, "float32", "openvino", side_by_side=True) is translated
    assert prepare(translated, CPU, "int8", "openvino", side_by_side=True) is not translated
    made = []
    convert = openvino._convert
    monkeypatch.setattr(openvino, "_convert", lambda *given: (made.append(given), convert(*given))[1])
    frames = torch.randn(8, 1, 4, 3, 16, 16)

    def encode(videos: Tensor) -> Tensor:
        with torch.inference_mode():
            return translated.encode_segments(videos)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(encode, frames))
    assert len(made) == 2  # before and after the reduction
    for videos, segments in zip(frames, found, strict=True):
        with torch.inference_mode():
            torch.testing.assert_close(segments, model.encode_segments(videos), rtol=0, atol=1e-5)


def test_a_tower_that_openvino_cannot_run_is_named_with_a_remedy() -> None:
    class Own(CLIPBackbone):
        def block(self, index: int, tokens: Tokens) -> Tokens:
            float(tokens.x.sum())  # a number that the translation doesn't know
            return super().block(index, tokens)

    model = prepare(CenterCLIP(Own(clip_model()), "none", frames=2), CPU, "float32", "openvino")
    frames = torch.randn(1, 2, 3, 16, 16)
    refused = pytest.raises(ConfigError, match=r"^backend 'openvino' can't run Own \(.+\): give torch$")
    with refused as caught, torch.inference_mode():
        model.encode_segments(frames)
    assert "\n" not in str(caught.value)


def test_impossible_settings_are_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CenterCLIP(clip_model())
    with pytest.raises(ConfigError, match="on the CPU, not on cuda.*give cpu, or bfloat16"):
        prepare(model, torch.device("cuda"), "int8")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="lacks: give float32"):
        prepare(model, CPU, "int8")
    with pytest.raises(ConfigError, match="torch, openvino"):
        VideoEncoder(model, device="cpu", backend="onnx")
    with pytest.raises(ConfigError, match="not on cuda"):
        prepare(model, torch.device("cuda"), "float32", "openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match=r"centerclip\[openvino\]"):
        VideoEncoder(model, device="cpu", backend="openvino")
