"""Which device and precision are chosen, and when the model is copied."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiny_models import clip_model

from centerclip.embedding.device import Cores, choose_device, choose_dtype, prepare
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP

CPU = torch.device("cpu")


@pytest.fixture
def model() -> CenterCLIP:
    return CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()


def test_auto_is_the_cpu_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU


@pytest.mark.parametrize("device", ["cuda:77", "tpu?", "meta-physics"])
def test_a_missing_device_is_an_error_with_a_remedy(device: str) -> None:
    with pytest.raises(ConfigError, match=r"can't be used.*give cpu or auto"):
        choose_device(device)


@pytest.mark.parametrize(
    ("features", "dtype"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"architecture": "aarch64"}, torch.float32),
        (None, torch.float32),  # an older torch
    ],
)
def test_auto_is_bfloat16_only_if_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, features: dict[str, object] | None, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features, raising=False)
    if features is None:
        monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert choose_dtype("auto", CPU) == dtype
    assert choose_dtype("float32", CPU) == torch.float32
    assert choose_dtype("bfloat16", CPU) == torch.bfloat16


def test_an_unknown_precision_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'int4': give one of auto, float32, bfloat16, int8"):
        choose_dtype("int4", CPU)


def test_the_model_is_copied_only_if_something_has_to_change(model: CenterCLIP) -> None:
    assert prepare(model, CPU, "float32") is model
    narrow = prepare(model, CPU, "bfloat16")
    assert {p.dtype for p in narrow.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert narrow.fingerprint() == model.fingerprint()

    model.train()
    assert not prepare(model, CPU, "float32").training
    assert model.training


def test_only_the_calling_thread_gets_another_number_of_threads() -> None:
    here = torch.get_num_threads()

    def work() -> int:
        Cores(1, 1, here + 3, here).enter(alone=False)
        return torch.get_num_threads()

    for function, expected in ((work, here + 3), (torch.get_num_threads, here)):
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(function).result() == expected
    assert torch.get_num_threads() == here


@pytest.mark.parametrize(
    ("cores", "decoders", "encoders"),
    [(1, 1, 1), (2, 2, 2), (8, 8, 8), (16, 16, 8), (24, 16, 8), (64, 32, 8)],
)
def test_decoding_and_encoding_alone_could_use_all_cores(
    model: CenterCLIP, cores: int, decoders: int, encoders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("centerclip.embedding.device.available_cores", lambda: cores)
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    shared = Cores.share(model)
    assert (shared.decoders, shared.encoders) == (decoders, encoders)
    assert shared.encoders * shared.threads == cores
    assert Cores.share(model, 3).decoders == 3
