"""Which device and precision are chosen, and when the model is copied."""

from __future__ import annotations

import threading

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


def test_auto_takes_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU


@pytest.mark.parametrize("device", ["cuda:77", "tpu?", "meta-physics"])
def test_a_device_that_is_not_there_is_an_error_with_a_remedy(device: str) -> None:
    with pytest.raises(ConfigError, match=r"can't be used.*give cpu or auto"):
        choose_device(device)


@pytest.mark.parametrize(
    ("abilities", "dtype"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"architecture": "aarch64"}, torch.float32),
    ],
)
def test_auto_is_bfloat16_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, abilities: dict[str, object], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities, raising=False)
    assert choose_dtype("auto", CPU) == dtype
    assert choose_dtype("float32", CPU) == torch.float32
    assert choose_dtype("bfloat16", CPU) == torch.bfloat16


def test_a_torch_that_can_not_tell_gets_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_dtype("auto", CPU) == torch.float32


def test_an_unknown_precision_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'int4' is unknown: give one of auto, float32, bfloat16, int8"):
        choose_dtype("int4", CPU)


def test_a_model_that_is_ready_is_not_copied(model: CenterCLIP) -> None:
    assert prepare(model, CPU, "float32") is model


def test_a_copy_is_made_where_something_has_to_change(model: CenterCLIP) -> None:
    narrow = prepare(model, CPU, "bfloat16")
    assert {p.dtype for p in narrow.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert narrow.fingerprint() == model.fingerprint()

    model.train()
    assert not prepare(model, CPU, "float32").training
    assert model.training


def test_threads_are_those_of_the_calling_thread_alone() -> None:
    here = torch.get_num_threads()
    told = {}

    def work() -> None:
        Cores(1, 1, here + 3, here).enter(alone=False)
        told["own"] = torch.get_num_threads()

    def ask() -> None:
        told["later"] = torch.get_num_threads()

    for target in (work, ask):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert told == {"own": here + 3, "later": here}
    assert torch.get_num_threads() == here
