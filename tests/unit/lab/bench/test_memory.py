"""What autograd saves, counted by hand."""

from __future__ import annotations

import torch
from torch import nn

from centerclip.lab.bench.memory import saved_activations, saved_bytes
from centerclip.lab.bench.subjects import random_subject, toy_batch


def test_a_linear_layer_saves_its_input_but_not_its_weight() -> None:
    layer = nn.Linear(8, 4)
    x = torch.ones(5, 8)
    assert saved_bytes(lambda: layer(x), of=layer) == 5 * 8 * 4


def test_shared_memory_counts_once() -> None:
    x = torch.ones(10, requires_grad=True)

    def forward() -> torch.Tensor:
        y = x * 2  # saves nothing
        return y.sin().sum() + y.cos().sum() + y[:3].exp().sum()  # saves y, y, and the result of exp

    assert saved_bytes(forward, of=nn.Identity()) == 10 * 4 + 3 * 4


def test_reused_memory_counts_each_time() -> None:
    x = torch.ones(1000, requires_grad=True)

    def forward() -> None:
        for _ in range(3):
            (x * 1).sin()  # its result is freed at once

    assert saved_bytes(forward, of=nn.Identity()) == 3 * 1000 * 4


def test_a_schedule_saves_fewer_activations_and_the_mode_is_restored() -> None:
    subject = random_subject("tiny")
    frames, captions = toy_batch(2, frames=12, size=subject.model.image_size)
    reduced = saved_activations(subject.model, frames, captions)
    plain = saved_activations(subject.model.with_(schedule="none"), frames, captions)
    assert 0.4 < reduced / plain < 0.9
    assert reduced == saved_activations(subject.model, frames, captions)
    assert not subject.model.training
