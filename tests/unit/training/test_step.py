"""The gradient of a batch in chunks equals the gradient of the whole batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import clip_model, clip_tokenizer
from torch import Tensor

from centerclip.model import CenterCLIP
from centerclip.training.adapting import add_lora
from centerclip.training.batches import Batch
from centerclip.training.config import Lora
from centerclip.training.loss import contrastive_loss
from centerclip.training.step import add_gradients

GENERATOR = torch.Generator().manual_seed(0)
BATCH = Batch(
    torch.randint(0, 256, (5, 4, 3, 16, 16), generator=GENERATOR, dtype=torch.uint8),
    torch.tensor([[True] * 4, [True] * 4, [True, False, True, False], [True] * 4, [True] * 4]),
    ["a car", "a very long boat that floats by", "sea", "a red car drives", "night"],
)


def make_model(**changes: Any) -> CenterCLIP:
    options = {"frames": 4, "tokenizer": clip_tokenizer(), "temporal": True, **changes}
    return CenterCLIP(clip_model(), "B2-2,8", **options).train()


def gradients(model: CenterCLIP, **changes: Any) -> tuple[float, dict[str, Tensor]]:
    loss = add_gradients(model, BATCH, **{"seed": 7, **changes})
    return loss, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def assert_same(found: tuple[float, dict[str, Tensor]], expected: tuple[float, dict[str, Tensor]]) -> None:
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        # Sums in another order: rounding of float32, relative to the largest entry.
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-4, atol=1e-6)


def test_one_chunk_is_plain_training() -> None:
    model = make_model()
    torch.manual_seed(7)
    video = model.encode_video(model.preprocess(BATCH.frames), BATCH.mask)
    loss = contrastive_loss(model.encode_text(BATCH.captions), video, model.logit_scale.exp())
    loss.backward()
    expected = {name: p.grad for name, p in model.named_parameters()}
    found = gradients(make_model())
    assert found[0] == loss.item()
    assert all(torch.equal(gradient, expected[name]) for name, gradient in found[1].items())
    assert found[1].keys() == expected.keys()


@pytest.mark.parametrize("chunks", [2, 5, 9])
def test_chunks_add_up_to_the_whole_batch(chunks: int) -> None:
    assert_same(gradients(make_model(), chunks=chunks), gradients(make_model()))


def test_activation_checkpointing_changes_nothing() -> None:
    model = make_model()
    model.backbone.model.activation_checkpointing_enable({"use_reentrant": False})
    assert_same(gradients(model, chunks=2), gradients(make_model()))


def test_both_computations_of_a_chunk_draw_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(reducer="sample")
    add_lora(model, Lora(rank=2, dropout=0.5))
    seen: list[Tensor] = []
    encode = model.encode_video

    def watched(frames: Tensor, mask: Tensor) -> Tensor:
        seen.append(encode(frames, mask))
        return seen[-1]

    monkeypatch.setattr(model, "encode_video", watched)
    gradients(model, chunks=2)
    first, second, *again = seen
    assert [torch.equal(first, again[0]), torch.equal(second, again[1])] == [True, True]
    gradients(model, chunks=2, seed=8)
    assert not torch.equal(seen[4], first)


def test_chunks_and_checkpointing_work_in_bfloat16() -> None:
    model = make_model()
    model.backbone.model.activation_checkpointing_enable({"use_reentrant": False})
    loss, found = gradients(model, chunks=2, precision=torch.bfloat16)
    exact = gradients(make_model())
    assert loss == pytest.approx(exact[0], rel=0.05)
    assert {gradient.dtype for gradient in found.values()} == {torch.float32}
    together = torch.cat([gradient.flatten() for gradient in found.values()])
    expected = torch.cat([exact[1][name].flatten() for name in found])
    assert torch.nn.functional.cosine_similarity(together, expected, dim=0) > 0.98


def test_captions_are_cut() -> None:
    short = add_gradients(make_model(), BATCH, seed=0, max_text_tokens=3)
    assert short != pytest.approx(add_gradients(make_model(), BATCH, seed=0), abs=1e-4)
