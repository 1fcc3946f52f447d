"""Which device and precision are chosen, and when the model is copied."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_models import clip_model

from centerclip.embedding import device
from centerclip.embedding.device import Cores, choose_device, choose_dtype, own_stream, prepare
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP

CPU = torch.device("cpu")


@pytest.fixture
def model() -> CenterCLIP:
    return CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()


def test_auto_is_the_cpu_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU


@pytest.mark.parametrize(
    ("rank", "gpus", "chosen"),
    [(None, 2, "cuda"), ("0", 2, "cuda:0"), ("1", 2, "cuda:1"), ("3", 1, "cuda:0")],
)
def test_auto_is_a_process_of_torchruns_own_gpu(
    rank: str | None, gpus: int, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch, "empty", lambda size, device: SimpleNamespace(device=torch.device(device)))
    assert choose_device("auto") == torch.device(chosen)


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


def test_auto_on_a_gpu_is_bfloat16_or_else_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of a machine with two kinds of GPU, the model's own counts, not the one that torch has chosen.
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: [(9, 0), (7, 5)][device.index])
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    for number, dtype in enumerate([torch.bfloat16, torch.float16]):
        assert choose_dtype("auto", torch.device("cuda", number)) == dtype
        assert choose_dtype("float16", torch.device("cuda", number)) == torch.float16


@pytest.fixture
def _torchs_own_products() -> Iterator[None]:
    """As torch is when it is imported, where convolutions have 10 bits on a GPU and other products 24."""
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True


@pytest.mark.usefixtures("_torchs_own_products")
def test_convolutions_have_as_many_bits_as_other_products(
    model: CenterCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bits(precision: str, where: str = "cuda") -> tuple[str, bool]:
        prepare(model, torch.device(where), precision)
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    monkeypatch.setattr(device, "_ready", lambda model, place, dtype: model)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda place: (9, 0))
    assert bits("float32", "cpu") == ("highest", True)
    assert bits("float32") == ("highest", False)
    assert bits("tf32") == ("high", True)
    assert bits("float32") == ("high", True)  # the model before computes with this setting


def test_precisions_that_a_device_lacks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for precision in ("float16", "tf32"):
        with pytest.raises(ConfigError, match=f"'{precision}' runs on a GPU, not on the CPU: give auto or"):
            choose_dtype(precision, CPU)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(ConfigError, match="cuda:0 lacks precision 'tf32', which came with Ampere"):
        choose_dtype("tf32", torch.device("cuda", 0))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    assert choose_dtype("tf32", torch.device("cuda", 0)) == torch.float32


def test_float16_embeds_as_float32_does(model: CenterCLIP) -> None:
    frames = torch.randint(0, 256, (2, 4, 3, *model.image_size), dtype=torch.uint8)
    with torch.inference_mode():
        exact = model.encode_video(model.preprocess(frames))
        narrow = model.to(torch.float16).encode_video(model.preprocess(frames)).float()
    assert (exact * narrow).sum(1).min() > 0.999


def test_each_thread_has_a_stream_of_its_own_that_waits_for_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[tuple[Any, Any]] = []

    class Stream:
        def __init__(self, device: torch.device) -> None:
            self.device = device

        def wait_stream(self, other: Any) -> None:
            waited.append((self, other))

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "default_stream", lambda device: f"default of {device}")
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    both = Barrier(2, timeout=60)

    def use() -> list[Any]:
        both.wait()
        used = []
        for number in (0, 1, 0):
            with own_stream(torch.device("cuda", number)) as stream:
                used.append(stream)
        return used

    with ThreadPoolExecutor(2) as pool:
        one, other = (future.result() for future in [pool.submit(use), pool.submit(use)])
    assert one[0] is one[2]
    assert len({*one, *other}) == len(waited) == 4
    assert {(str(stream.device), default) for stream, default in waited} == {
        ("cuda:0", "default of cuda:0"),
        ("cuda:1", "default of cuda:1"),
    }
    with own_stream(CPU) as nothing:
        assert nothing is None


def test_an_unknown_precision_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'int4': give one of auto, float32, tf32, bfloat16, float16, int8"):
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
