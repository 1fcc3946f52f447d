"""The objective and the optimizer, against `transformers`' own loss and hand-solved values."""

import math

import pytest
import torch
from transformers.models.clip.modeling_clip import image_text_contrastive_loss

from centerclip.training.config import OptimizationSection
from centerclip.training.loss import contrastive_loss
from centerclip.training.optimizer import learning_rate, make_optimizer


def test_loss_equals_that_of_transformers() -> None:
    generator = torch.Generator().manual_seed(0)
    text, video = (
        torch.nn.functional.normalize(torch.randn(7, 16, generator=generator), dim=-1) for _ in range(2)
    )
    scale = torch.tensor(14.3)
    expected = image_text_contrastive_loss(scale * text @ video.T)
    torch.testing.assert_close(contrastive_loss(text, video, scale), expected)


def test_loss_of_equal_embeddings_is_the_log_of_the_batch_size() -> None:
    same = torch.nn.functional.normalize(torch.ones(5, 8), dim=-1)
    assert contrastive_loss(same, same, torch.tensor(100.0)).item() == pytest.approx(math.log(5))


def test_rate_warms_up_then_falls_to_zero() -> None:
    config = OptimizationSection(steps=100, learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[99] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_only_matrices_decay() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    model.logit_scale = torch.nn.Parameter(torch.tensor(2.0))
    decayed, undecayed = make_optimizer(model, OptimizationSection(steps=1)).param_groups
    assert (decayed["weight_decay"], undecayed["weight_decay"]) == (0.2, 0.0)
    assert [tuple(p.shape) for p in decayed["params"]] == [(4, 3)]
    assert len(undecayed["params"]) == 4
