"""Low-rank adapters and frozen blocks: which weights are trained, and what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import FAMILIES, clip_model
from transformers import CLIPModel

from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP
from centerclip.training.adapting import add_lora, freeze_blocks, without_lora
from centerclip.training.config import Lora
from centerclip.training.loop import train

FRAMES = torch.randn(2, 4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def trained(model: CenterCLIP) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def test_adapters_start_at_zero_and_merge_into_plain_weights(tmp_path: Path) -> None:
    plain = CenterCLIP(clip_model(), "B2-2,8", frames=4)
    before = plain.encode_video(FRAMES)
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4, temporal=True)
    add_lora(model, Lora(rank=2))
    torch.testing.assert_close(model.encode_video(FRAMES), before, rtol=0, atol=1e-6)
    assert {name.split(".")[-1] for name in trained(model)} == {"logit_scale", "table", "weight"}
    assert all("lora_" in name for name in trained(model) if name.endswith("weight"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.normal_(std=0.3)
    after = model.encode_video(FRAMES)
    assert (after - before).abs().max() > 0.01
    merged = without_lora(model)
    assert merged.backbone.model.state_dict().keys() == plain.backbone.model.state_dict().keys()
    torch.testing.assert_close(merged.encode_video(FRAMES), after, rtol=1e-4, atol=1e-5)
    assert torch.equal(model.encode_video(FRAMES), after)  # the adapted model is unchanged
    merged.save_pretrained(tmp_path)
    CLIPModel.from_pretrained(tmp_path)
    assert without_lora(plain) is plain


def test_unknown_targets_are_refused_with_the_list_of_layers() -> None:
    with pytest.raises(ConfigError, match=r"nothing_proj.*fc1, fc2, k_proj"):
        add_lora(CenterCLIP(clip_model()), Lora(targets=("nothing_proj",)))


TEXT_BLOCKS = {"chinese_clip": "encoder.layer", "altclip": "roberta.encoder.layers"}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_learns(family: str) -> None:
    make, make_tokenizer = FAMILIES[family]
    model = CenterCLIP(make(), "B2-2,8", frames=4, tokenizer=make_tokenizer()).train()
    text, video = model(model.backbone.tokenize(["a red car", "a"]), FRAMES)
    (text @ video.T).diagonal().sum().backward()
    used = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert {"layers.3", "layers.0"} <= {".".join(name.split(".")[4:6]) for name in used if ".vision" in name}
    assert [name for name in used if ".text_model." in name and "embeddings" in name]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_blocks_of_both_towers_are_frozen(family: str) -> None:
    model = CenterCLIP(FAMILIES[family][0](), "B2-2,8", frames=4)
    every = trained(model)
    freeze_blocks(model, 2)
    names = trained(model)
    vision, text = "backbone.model.vision_model.", "backbone.model.text_model."
    blocks = f"{text}{TEXT_BLOCKS.get(family, 'encoder.layers')}"
    embeddings = f"{blocks.rpartition('encoder')[0]}embeddings"
    for frozen in (f"{vision}embeddings", f"{vision}encoder.layers.1", f"{blocks}.1", embeddings):
        assert [name for name in every if name.startswith(frozen)]
        assert not [name for name in names if name.startswith(frozen)]
    for free in (f"{vision}encoder.layers.2", f"{vision}post_layernorm", "backbone.model.logit_scale"):
        assert [name for name in names if name.startswith(free)]
    with pytest.raises(ConfigError, match=r"frozen_blocks is 5.*4 blocks"):
        freeze_blocks(model, 5)


def test_a_run_with_adapters_saves_a_plain_model_and_resumes(recipe: Any, tmp_path: Path) -> None:
    config = recipe(tmp_path, steps=2, model={"lora": {"rank": 2}, "temporal": True}, chunks=2)
    best = train(config)
    model = CenterCLIP.from_pretrained(best)
    assert model.temporal is not None
    assert model.temporal.table.abs().max() > 0
    assert train(config) == best
