"""The comparison of backends: what is timed, in which order, and when it isn't worth while."""

from __future__ import annotations

import pytest
import torch
from tiny_models import clip_model
from torch import Tensor

from centerclip.embedding import backends
from centerclip.embedding.backends import compare_backends
from centerclip.embedding.device import Cores
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP

MANY = 10**9


class Machine:
    """A processor whose clock advances by what each backend is said to take for a batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds
        self.encoded: list[str] = []
        self.backend_of: dict[int, str] = {}
        self.kept: list[CenterCLIP] = []
        monkeypatch.setattr(backends.time, "process_time", lambda: self.now)
        monkeypatch.setattr(backends, "prepare", self.prepare)
        monkeypatch.setattr(backends, "encode_frames", self.encode)
        monkeypatch.setattr(Cores, "share", classmethod(lambda cls, model: cls(1, 1, 1, 1)))

    def prepare(
        self,
        model: CenterCLIP,
        device: torch.device,
        precision: str,
        backend: str = "exact",
        *,
        side_by_side: bool = False,
    ) -> CenterCLIP:
        assert side_by_side == (backend != "exact")
        if backend not in {*self.seconds, "exact"}:
            raise ConfigError(f"backend {backend!r} can't run it: give torch")
        made = model.with_()
        self.kept.append(made)  # so that no other gets its id
        self.backend_of[id(made)] = backend
        self.now += 100 if backend == "openvino" else 1
        return made

    def encode(self, model: CenterCLIP, frames: Tensor) -> tuple[Tensor, Tensor]:
        backend = self.backend_of[id(model)]
        self.encoded.append(backend)
        self.now += self.seconds.get(backend, 5.0)
        turned = {"exact": 0.0, "torch": 0.01, "openvino": 0.1}[backend]
        vector = torch.tensor([1 - turned**2 / 2, turned])
        return vector.repeat(len(frames), 1), torch.tensor([1.0, 0.0]).repeat(len(frames), 2, 1)


@pytest.fixture
def model() -> CenterCLIP:
    return CenterCLIP(clip_model(), "none", frames=6).eval()  # four windows per batch


BOTH = [("torch", "bfloat16"), ("openvino", "bfloat16")]


def test_backends_take_turns_and_are_compared_with_float32(
    monkeypatch: pytest.MonkeyPatch, model: CenterCLIP
) -> None:
    machine = Machine(monkeypatch, torch=8.0, openvino=4.0)
    found = compare_backends(model, [*BOTH, BOTH[1]], MANY)
    assert found is not None
    turns = ["openvino", *["torch", "openvino"] * 3]
    assert machine.encoded == ["torch", "torch", "exact", *turns, *turns]
    torch_cost, openvino, again = found
    assert (torch_cost.backend, torch_cost.processor_seconds, torch_cost.start_seconds) == ("torch", 2, 9)
    assert (openvino.backend, openvino.processor_seconds, openvino.start_seconds) == ("openvino", 1, 104)
    assert again == openvino
    assert torch_cost.cosine == pytest.approx(1 - 5e-5, abs=1e-6)
    assert openvino.cosine == pytest.approx(0.995, abs=1e-6)  # the worst counts, here the windows


def test_a_comparison_takes_at_most_a_tenth_of_the_run(
    monkeypatch: pytest.MonkeyPatch, model: CenterCLIP
) -> None:
    # Six batches of four windows at two seconds, and twelve seconds for the start.
    for windows, compares in ((299, False), (301, True)):
        machine = Machine(monkeypatch, torch=8.0, openvino=4.0)
        assert (compare_backends(model, BOTH, windows) is not None) == compares
        assert ("openvino" in machine.encoded) == compares


def test_a_backend_that_cannot_run_the_model_says_why(
    monkeypatch: pytest.MonkeyPatch, model: CenterCLIP
) -> None:
    Machine(monkeypatch, torch=8.0)
    found = compare_backends(model, BOTH, MANY)
    assert found is not None
    assert [cost.failure for cost in found] == ["", "backend 'openvino' can't run it: give torch"]
    assert found[0].processor_seconds == 2


def test_the_real_ones_agree(model: CenterCLIP) -> None:
    pytest.importorskip("openvino")
    floats = [("torch", "float32"), ("openvino", "float32")]
    found = compare_backends(model, [*floats, ("torch", "int8"), ("openvino", "int8")], MANY)
    assert found is not None
    assert [cost.failure for cost in found] == [""] * 4
    assert [cost.precision for cost in found] == ["float32", "float32", "int8", "int8"]
    assert min(cost.cosine for cost in found[:2]) > 0.999999
    assert 0.99 < min(cost.cosine for cost in found[2:]) < 0.999999
    assert min(cost.processor_seconds for cost in found) > 0
