"""Which GPU each process trains on."""

from __future__ import annotations

import pytest
import torch

from centerclip.training.processes import own_device


@pytest.mark.parametrize(
    ("rank", "gpus", "chosen"),
    # Some launchers let each process see its own GPU alone, which is its first one.
    [(None, 2, "cuda:1"), ("0", 2, "cuda:0"), ("1", 2, "cuda:1"), ("3", 1, "cuda:0"), ("1", 0, "cuda:0")],
)
def test_a_process_trains_on_a_gpu_that_it_sees(
    rank: str | None, gpus: int, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert own_device("cuda:1") == torch.device(chosen)
    assert own_device("cpu") == torch.device("cpu")
