"""What autograd keeps, counted by hand."""

from __future__ import annotations

import torch
from torch import nn

from centerclip.lab.bench.memory import saved_activations, saved_bytes
from centerclip.lab.bench.subjects import random_subject, toy_batch


def test_a_linear_layer_keeps_its_input_and_not_its_weight() -> None:
    layer = nn.Linear(8, 4)
    x = torch.ones(5, 8)
    assert saved_bytes(lambda: layer(x), of=layer) == 5 * 8 * 4


def test_what_is_kept_twice_counts_once_and_whole() -> None:
    weight = nn.Linear(1, 1)
    x = torch.ones(10, requires_grad=True)

    def forward() -> torch.Tensor:
        y = x * 2  # keeps nothing
        return y.sin().sum() + y.cos().sum() + y[:3].exp().sum()  # keeps y, y, and what exp gives

    assert saved_bytes(forward, of=weight) == 10 * 4 + 3 * 4


def test_memory_that_is_freed_and_used_again_counts_each_time() -> None:
    x = torch.ones(1000, requires_grad=True)

    def forward() -> None:
        for _ in range(3):
            (x * 1).sin()  # its result is dropped at once

    assert saved_bytes(forward, of=nn.Identity()) == 3 * 1000 * 4


def test_a_schedule_keeps_fewer_activations_and_the_model_is_left_as_it_was() -> None:
    subject = random_subject("tiny")
    frames, captions = toy_batch(2, frames=12, size=subject.model.image_size)
    reduced = saved_activations(subject.model, frames, captions)
    plain = saved_activations(subject.model.with_(schedule="none"), frames, captions)
    assert 0.4 < reduced / plain < 0.9
    assert reduced == saved_activations(subject.model, frames, captions)
    assert not subject.model.training
    ids = subject.model.backbone.tokenize(captions)["input_ids"]
    assert saved_activations(subject.model, frames, ids) == reduced
