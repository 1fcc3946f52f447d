"""Measured costs: what is timed, and how it is divided."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_models import clip_model
from torch import Tensor

from centerclip.embedding import costs
from centerclip.embedding.costs import drifting_pictures, measure_costs
from centerclip.embedding.device import Cores
from centerclip.errors import ModelError
from centerclip.model import CenterCLIP
from centerclip.model.random import random_model
from centerclip.model.registry import find_known


def test_every_schedule_is_timed_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[tuple[str, int]] = []
    done: list[int] = []

    def encode(model: CenterCLIP, frames: Tensor) -> None:
        encoded.append((str(model.schedule), len(frames)))

    monkeypatch.setattr(costs, "encode_frames", encode)
    monkeypatch.setattr(costs, "_time", lambda run: (run(), run(), [(8.0, 4.0), (16.0, 8.0), (8.0, 4.0)])[2])
    monkeypatch.setattr(Cores, "share", classmethod(lambda cls, model: cls(1, 2, 1, 2)))
    model = CenterCLIP(clip_model(), "none", frames=6)
    measured = measure_costs(model, {"plain": "none", "less": "B2-2,8"}, on_schedule=done.append)
    # Two threads, each with a batch of four windows of six frames.
    assert encoded == [("none", 4)] * 4 + [("B2-2,8", 4)] * 4
    assert {name: (cost.schedule, cost.rounds) for name, cost in measured.items()} == {
        "plain": ("none", 3),
        "less": ("B2-2,8", 3),
    }
    assert {(cost.seconds, cost.processor_seconds) for cost in measured.values()} == {(1.0, 0.5)}
    assert done == [1, 2]


def test_a_slow_schedule_gets_fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(costs.time, "perf_counter", lambda: now[0])

    def rounds(seconds: float) -> int:
        calls = []

        def run() -> None:
            calls.append(seconds)
            now[0] += seconds

        taken = costs._time(run)
        assert len(calls) == len(taken) + 1  # one to warm up
        assert {wall for wall, _ in taken} == {seconds}
        return len(taken)

    assert [rounds(seconds) for seconds in (1.0, 8.0, 60.0)] == [5, 3, 1]


def test_no_two_frames_are_equal() -> None:
    frames = drifting_pictures(2, 12, (112, 96))
    assert frames.shape == (2, 12, 3, 112, 96)
    flat = frames.flatten(0, 1).flatten(1)
    assert len(flat.unique(dim=0)) == 24
    assert flat.float().std() > 30


def test_a_family_that_cannot_be_made_is_named() -> None:
    known = find_known("nano")
    assert known is not None
    with pytest.raises(ModelError, match="nano can't be measured: its family other isn't supported"):
        random_model(replace(known, family="other"))
