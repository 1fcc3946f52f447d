"""Costs of schedules, against torch's own counter of operations, and the tokens at each reduction."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from centerclip.clustering import Clustering, Reducer, Tokens
from centerclip.lab.bench.schedules import encoding, measure_schedules, reduced_tokens
from centerclip.lab.bench.subjects import random_subject, toy_batch

SUBJECT = random_subject("tiny")
FRAMES, _ = toy_batch(2, frames=12, size=SUBJECT.model.image_size)


@pytest.mark.parametrize("schedule", ["none", "B2-4,16", "B1-6,12;B3-2,5", "B2-5,16"])
def test_multiply_adds_are_what_torch_counts(schedule: str) -> None:
    model = SUBJECT.model.with_(schedule=schedule, reducer=_First())
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:
        encoding(model, FRAMES)()
    projected = model.segments * model.backbone.width * model.embed_size  # the head is not part of the tower
    counted = counter.get_total_flops() // 2 // len(FRAMES)
    assert counted - projected == model.backbone.multiply_adds(model.schedule, model.frames)


def test_schedules_are_measured_in_their_order() -> None:
    before = SUBJECT.model.schedule
    none, reduced = measure_schedules(SUBJECT.model, ["none", "B2-4,16"], FRAMES, rounds=3)
    assert SUBJECT.model.schedule == before
    assert (str(none.schedule), str(reduced.schedule)) == ("none", "B2-4,16")
    assert reduced.multiply_adds < none.multiply_adds
    assert len(none.timing.wall_seconds) == 3


def test_reduced_tokens_are_those_that_the_model_reduces() -> None:
    model = SUBJECT.model.with_(schedule="B2-5,16")
    short, long = reduced_tokens(model, FRAMES)  # 12 frames in 5 segments: three of 2, two of 3
    assert short.tokens.patches.shape == (2 * 3, 2, 16, 32)
    assert long.tokens.sequence.shape == (2 * 2, 3 * 16, 32)
    assert long.tokens.has_class_token
    assert len({tuple(row) for row in long.tokens.sequence[0].tolist()}) == 48  # all different
    (stage,) = model.encode(model.preprocess(FRAMES), trace=True).stages
    assert stage.kept is not None
    assert stage.frame_segments == (0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4)
    firsts = torch.tensor([[3], [8], [10]]) * 16  # where segments 1, 3 and 4 begin among the video's tokens
    chosen = model.reducer.choose(short.tokens, short.k)
    assert isinstance(chosen, Clustering)
    assert torch.equal(stage.kept[:, [1, 3, 4]], chosen.medoids.view(2, 3, 16) + firsts)


class _First(Reducer):
    """Keeps the first tokens, without any operations."""

    def choose(self, tokens: Tokens, k: int) -> torch.Tensor:
        return torch.arange(k).expand(len(tokens.x), -1)
