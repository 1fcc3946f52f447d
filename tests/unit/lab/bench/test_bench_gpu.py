"""The part `gpu`, run on the CPU, where all but float16 and the GPU's decoder works."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from centerclip.lab.bench import gpu
from centerclip.lab.bench.gpu import measure_gpu, measure_on
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import random_subject


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    setting = Setting(torch.device("cpu"), tmp_path, quick=True, tell=told.append)
    assert list(measure_gpu([random_subject("tiny")], setting)) == []
    assert told == ["gpu: left out, because there is none"]


def test_every_comparison_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The decoder finds no GPU and goes on with the CPU; so frames are equal.
    monkeypatch.setattr(gpu, "find_gpu", lambda number: "cuda")
    monkeypatch.setattr(gpu, "Decoders", lambda number: gpu_77 if number == 0 else on_cpu)
    from centerclip.video import Decoders

    gpu_77, on_cpu = Decoders(77), Decoders()
    setting = Setting(torch.device("cpu"), tmp_path, precision="float32", rounds=1, quick=True)
    rows = list(measure_on(random_subject("tiny"), setting))
    whats = [row.what for row in rows]
    for beginning in ("distances from slices, tiny: 8 sets of", "tiny B2-4,16 in bfloat16, per video"):
        assert any(what.startswith(beginning) for what in whats), whats
    assert rows[0].note == "medoids equal"
    assert "two batches side by side" in whats[-2]
    assert whats[-1] == "decoding 4 s of 128x72 H.264 on the GPU (cuda) by one worker"
    assert rows[-1].details["most_apart"] == 0
