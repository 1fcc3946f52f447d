"""The temporal embedding: no effect while it is zero, aware of frame order once trained."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import clip_model, clip_tokenizer, siglip_model
from torch import Tensor
from transformers import CLIPModel

from centerclip.errors import CheckpointError, ModelError
from centerclip.model import CenterCLIP
from centerclip.model.registry import NANO_FOLDER
from centerclip.model.temporal import TemporalEmbedding

FRAMES = torch.randn(2, 6, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def table(frames: int = 6, width: int = 32) -> Tensor:
    return torch.randn(frames, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("make", [clip_model, siglip_model])
@pytest.mark.parametrize("schedule", ["none", "B2-3,8", "B1-3,20;B3-2,8"])
@torch.no_grad()
def test_zeros_change_nothing_and_a_trained_table_distinguishes_the_order(make: Any, schedule: str) -> None:
    plain = CenterCLIP(make(), schedule, frames=6)
    model = CenterCLIP(plain.backbone, schedule, frames=6, temporal=True)
    assert torch.equal(model.encode_video(FRAMES), plain.encode_video(FRAMES))
    model.temporal.table.copy_(table())
    forward, reversed_ = model.encode_video(FRAMES), model.encode_video(FRAMES.flip(1))
    assert (forward - reversed_).abs().max() > 1e-3


@torch.no_grad()
def test_it_is_added_to_all_tokens_of_a_frame_before_the_first_reduction() -> None:
    vectors = table()
    for schedule, block in (("none", 2), ("B1-6,16", 1), ("B3-6,16", 3)):
        model = CenterCLIP(clip_model(), schedule, frames=6, temporal=TemporalEmbedding(vectors))
        tokens = model.backbone.embed(FRAMES.flatten(0, 1))
        for index in range(4):
            if index == block:
                tokens = replace(tokens, x=tokens.x + vectors.repeat(2, 1).unsqueeze(1))
            tokens = model.backbone.block(index, tokens)
        expected = torch.nn.functional.normalize(model.backbone.pool(tokens), dim=-1)
        torch.testing.assert_close(model.encode_segments(FRAMES).flatten(0, 1), expected)


def test_videos_of_other_lengths_use_the_nearest_entries() -> None:
    embedding = TemporalEmbedding(torch.arange(4.0).unsqueeze(1))
    for frames, expected in ((1, [2]), (2, [1, 3]), (4, [0, 1, 2, 3]), (8, [0, 0, 1, 1, 2, 2, 3, 3])):
        added = embedding(torch.zeros(1, frames, 2, 1))
        assert added[0, :, 0, 0].tolist() == expected
        assert torch.equal(added[:, :, 0], added[:, :, 1])


def test_its_gradient_is_not_zero_at_zero() -> None:
    model = CenterCLIP(clip_model(), "B2-3,8", frames=6, temporal=True)
    model.encode_video(FRAMES)[:, 0].sum().backward()
    assert (model.temporal.table.grad.abs().sum(dim=1) > 0).all()


@torch.no_grad()
def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    embedding = TemporalEmbedding(table())
    model = CenterCLIP(clip_model(), "B2-3,8", frames=6, tokenizer=clip_tokenizer(), temporal=embedding)
    model.save_pretrained(tmp_path)
    again = CenterCLIP.from_pretrained(tmp_path)
    assert torch.equal(again.encode_video(FRAMES), model.encode_video(FRAMES))
    assert again.fingerprint() == model.fingerprint()
    assert "temporal.table" not in CLIPModel.from_pretrained(tmp_path).state_dict()
    shorter = CenterCLIP.from_pretrained(tmp_path, frames=4, temporal=True)
    assert torch.equal(shorter.temporal.table, table())
    settings = tmp_path / "centerclip.json"
    assert json.loads(settings.read_text())["format_version"] == 2  # rejected by older versions
    without = CenterCLIP.from_pretrained(tmp_path, temporal=False)
    assert without.temporal is None
    without.save_pretrained(tmp_path)
    assert CenterCLIP.from_pretrained(tmp_path).temporal is None
    assert json.loads(settings.read_text())["format_version"] == 1
    assert not (tmp_path / "temporal.safetensors").exists()


def test_the_fingerprint_includes_it_if_present() -> None:
    clip = clip_model()
    plain, zero = CenterCLIP(clip, frames=6), CenterCLIP(clip, frames=6, temporal=True)
    before = zero.fingerprint()
    assert before != plain.fingerprint()
    with torch.no_grad():
        zero.temporal.table.add_(1)
    assert zero.fingerprint() != before
    assert CenterCLIP.from_pretrained(NANO_FOLDER).fingerprint() == "7063b41c8d8a74ee"


def test_invalid_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="between blocks"):
        CenterCLIP(clip_model(vision={"num_hidden_layers": 1}), temporal=True)
    with pytest.raises(ModelError, match=r"31 wide.*are 32"):
        CenterCLIP(clip_model(), temporal=TemporalEmbedding(table(width=31)))
    with pytest.raises(ModelError, match=r"floats \[frames, width\]"):
        TemporalEmbedding(torch.zeros(6))
    CenterCLIP(clip_model(), temporal=True).save_pretrained(tmp_path)
    (tmp_path / "temporal.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"temporal.safetensors can't be read"):
        CenterCLIP.from_pretrained(tmp_path)
    (tmp_path / "temporal.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"temporal.safetensors is missing"):
        CenterCLIP.from_pretrained(tmp_path)
