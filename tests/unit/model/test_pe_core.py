"""PE-Core: its files, its settings, saving, tokenizing, and everything else that a backbone must do."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from broken_pe_cores import BROKEN
from pe_core_models import (
    HEADS,
    TRUNK,
    TRUNK_SIDE,
    official,
    open_clip_config,
    pe_core,
    save_official,
    save_open_clip,
)
from safetensors.torch import load_file
from tiny_models import clip_tokenizer, word_tokenizer
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from centerclip.clustering import Reducer, Tokens
from centerclip.embedding.device import prepare
from centerclip.errors import CheckpointError, ConfigError, ModelError
from centerclip.model import CenterCLIP, Preprocessing, make_backbone
from centerclip.model.backbones import PECoreBackbone
from centerclip.model.checkpoints import read_checkpoint
from centerclip.model.hub import find_model, is_local
from centerclip.model.pe_core import PECore
from centerclip.model.pe_core.config import default_head_width, trunk_grid
from centerclip.model.text import TextTower, probe
from centerclip.training.adapting import add_lora, freeze_blocks, without_lora
from centerclip.training.config import Lora

FRAMES = torch.randn(2, 4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
SENTENCES = ["a red car", "A blue BOAT floats.", "", "it's " * 30]
CPU = torch.device("cpu")


def assert_same_weights(read: Any, known: PECore) -> None:
    assert isinstance(read, PECore)
    expected = known.state_dict()
    assert read.state_dict().keys() == expected.keys()
    for name, tensor in read.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)
    assert read.config.vision_config.num_attention_heads == HEADS
    assert not read.training


# Reading


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("layout", ["plain", "half", "weights", "module", "old format"])
def test_official_checkpoints_are_read(layout: str, class_token: bool, tmp_path: Path) -> None:
    known = pe_core(class_token=class_token)
    known = known.half().float() if layout == "half" else known
    path = save_official(known, tmp_path / "PE-Core-X4-16.pt")
    content: dict[str, Any] = official(known)
    if layout == "half":
        content = {name: tensor.half() for name, tensor in content.items()}
    elif layout == "weights":
        content = {"weights": content}
    elif layout == "module":
        content = {f"module.{name}": tensor for name, tensor in content.items()}
    torch.save(content, path, _use_new_zipfile_serialization=layout != "old format")
    read = read_checkpoint(path)
    assert_same_weights(read, known)
    assert read.config.vision_config.rotary_grid == 4


@pytest.mark.parametrize("class_token", [True, False])
def test_open_clips_folders_are_read(class_token: bool, tmp_path: Path) -> None:
    known = pe_core(class_token=class_token)
    known.trunk.head.bias.data.fill_(0.5)  # open_clip's projection has a bias
    save_open_clip(known, tmp_path)
    clip_tokenizer().save_pretrained(tmp_path)
    model = CenterCLIP.from_pretrained(tmp_path)
    assert_same_weights(model.backbone.model, known)
    assert model.backbone.model.config.vision_config.rotary_grid == TRUNK_SIDE
    half = (0.5, 0.5, 0.5)
    assert model.preprocessing == Preprocessing((16, 16), half, half, "bilinear", "squash")
    assert model.encode_text(["a car"]).shape == (1, 24)
    assert model.backbone.has_class_token == class_token


def test_heads_are_those_of_the_published_sizes() -> None:
    assert [default_head_width(width) for width in (192, 384, 768, 1024, 1536)] == [64, 64, 64, 64, 96]
    assert default_head_width(192, "vit_pe_core_gigantic_patch14_448") == 96
    assert default_head_width(128, "vit_pe_core_gigantic_patch14_448") == 64
    assert trunk_grid("vit_pe_core_gigantic_patch14_448") == 32


def test_a_folder_with_one_official_checkpoint_is_a_model(tmp_path: Path) -> None:
    path = save_official(pe_core(), tmp_path / "PE-Core-X4-16.pt")
    known = CenterCLIP.from_pretrained(path).fingerprint()
    (tmp_path / "config.json").write_text('{"anything": 1}')
    assert CenterCLIP.from_pretrained(tmp_path).fingerprint() == known
    (tmp_path / "other.pt").write_bytes(path.read_bytes())
    (tmp_path / "other.json").write_text("{}")  # of something else: then heads are 64 wide
    other = read_checkpoint(tmp_path / "other.pt")
    assert isinstance(other, PECore)
    assert other.config.vision_config.num_attention_heads == 1
    (tmp_path / "PE-Core-Y4-16.pt").write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match="several checkpoints, such as PE-Core-X4-16.pt: give one"):
        CenterCLIP.from_pretrained(tmp_path)


@pytest.mark.parametrize("layout", ["official", "open_clip"])
def test_names_on_the_hub_are_found_in_its_cache(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    name = "facebook/PE-Core-B16-224" if layout == "official" else "timm/PE-Core-B-16"
    assert not is_local(name)
    repository, commit = tmp_path / "cache" / f"models--{name.replace('/', '--')}", "0" * 40
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    if layout == "official":
        save_official(pe_core(), snapshot / "PE-Core-B16-224.pt")
    else:
        save_open_clip(pe_core(), snapshot)
    assert is_local(name)
    assert find_model(name) == snapshot
    assert_same_weights(CenterCLIP.from_pretrained(name).backbone.model, pe_core())


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused_in_one_line_and_run_nothing(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write, message = BROKEN[case]
    path = write(tmp_path)
    with pytest.raises(CheckpointError, match=message) as caught:
        CenterCLIP.from_pretrained(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert re.search("[:;] (download|choose|state|save) ", str(caught.value))  # the remedy
    assert not (tmp_path / "executed").exists()


def test_what_does_not_apply_is_refused(tmp_path: Path) -> None:
    path = save_official(pe_core(), tmp_path / "PE-Core-X4-16.pt")
    with pytest.raises(CheckpointError, match="always has gelu: leave activation out"):
        CenterCLIP.from_pretrained(path, activation="gelu")
    (tmp_path / "config.json").write_text('{"model_type": "pe_core"}')
    path.unlink()
    with pytest.raises(ModelError, match="isn't a PE-Core: give its .pt, or a folder of open_clip"):
        CenterCLIP.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="frames are"):
        CenterCLIP(pe_core()).encode(torch.randn(1, 2, 3, 32, 32))


# Saving


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("layout", ["official", "open_clip"])
def test_a_saved_model_comes_back_whole_in_open_clips_layout(
    layout: str, class_token: bool, tmp_path: Path
) -> None:
    known = pe_core(class_token=class_token)
    if layout == "official":
        path = save_official(known, tmp_path / "PE-Core-X4-16.pt")
    else:
        path = save_open_clip(known, tmp_path / "given")
    model = CenterCLIP.from_pretrained(
        path, schedule="B1-3,8;B3-2,6", reducer="merge", frames=4, tokenizer=clip_tokenizer(), temporal=True
    )
    with torch.no_grad():
        model.temporal.table.normal_()
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "clip"}')  # of another model, saved here before
    model.save_pretrained(folder)
    again = CenterCLIP.from_pretrained(folder)
    assert again.fingerprint() == model.fingerprint()
    assert again.backbone.preprocessing == model.backbone.preprocessing
    assert (str(again.schedule), again.reducer, again.frames) == ("B1-3,8;B3-2,6", model.reducer, 4)
    with torch.no_grad():
        torch.testing.assert_close(again.encode_video(FRAMES), model.encode_video(FRAMES))
        torch.testing.assert_close(again.encode_text(SENTENCES), model.encode_text(SENTENCES))
    weights = load_file(folder / "open_clip_model.safetensors")
    assert weights.keys() == known.state_dict().keys()
    config = json.loads((folder / "open_clip_config.json").read_text())
    trunk = TRUNK if class_token else "vit_pe_core_gigantic_patch14_448"
    expected = open_clip_config(timm_model_name=trunk)
    assert {key: config[key] for key in expected} == expected


class Doubled(PECoreBackbone):
    """Counts every embedding twice."""

    def pool(self, tokens: Tokens) -> torch.Tensor:
        return 2 * super().pool(tokens)


def test_a_subclass_is_saved_and_found_again(tmp_path: Path) -> None:
    CenterCLIP(Doubled(pe_core(), clip_tokenizer()), frames=4).save_pretrained(tmp_path)
    again = CenterCLIP.from_pretrained(tmp_path).backbone
    assert isinstance(again, Doubled)
    assert_same_weights(again.model, pe_core())
    assert again.tokenizer is not None


def test_positions_and_heads_are_part_of_the_fingerprint() -> None:
    fingerprints = {CenterCLIP(pe_core(rotary_grid=grid)).fingerprint() for grid in (4, 4, 24)}
    assert len(fingerprints) == 2


def test_preprocessing_that_open_clip_lacks_is_not_lost_silently(tmp_path: Path) -> None:
    preprocessing = Preprocessing((16, 16), shortest_edge=20)
    model = CenterCLIP(make_backbone(pe_core(), preprocessing=preprocessing))
    with pytest.raises(ModelError, match="shortest_edge.*can't be saved: use a plain crop or squash"):
        model.save_pretrained(tmp_path)


# Text


def test_sentences_end_at_their_highest_id_and_are_padded_with_zeros() -> None:
    model = CenterCLIP(pe_core(), tokenizer=clip_tokenizer())
    ids = model.backbone.tokenize(SENTENCES)["input_ids"]
    assert ids.shape == (4, 12)
    assert ids[2].tolist() == [512, 513] + [0] * 10
    assert ids[3, -1] == 513  # cut, with the end token
    with torch.no_grad():
        alone = torch.cat([model.encode_text([sentence]) for sentence in SENTENCES])
        torch.testing.assert_close(model.encode_text(SENTENCES), alone)
        torch.testing.assert_close(model.encode_text(ids), alone)


def test_a_checkpoint_without_tokenizer_encodes_videos_and_ids(tmp_path: Path) -> None:
    model = CenterCLIP.from_pretrained(save_official(pe_core(), tmp_path / "PE-Core-X4-16.pt"))
    assert model.encode_text(torch.tensor([[512, 4, 513]])).shape == (1, 24)
    with pytest.raises(ModelError, match="no tokenizer"):
        model.encode_text("a red car")
    clip_tokenizer().save_pretrained(tmp_path)
    model = CenterCLIP.from_pretrained(tmp_path / "PE-Core-X4-16.pt")
    assert model.encode_text("a red car").shape == (1, 24)


def test_a_missing_tokenizer_of_clips_is_logged_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    path, weights = save_official(pe_core(), tmp_path / "PE-Core-X4-16.pt"), official(pe_core())
    weights["token_embedding.weight"] = torch.randn(49408, 32)
    torch.save(weights, path)
    assert CenterCLIP.from_pretrained(path).backbone.tokenizer is None
    assert "Sentences can't be encoded" in caplog.text
    assert "copy the tokenizer's files of any CLIP model there, or give tokenizer=FOLDER" in caplog.text


def test_a_tokenizer_of_another_model_is_refused() -> None:
    with pytest.raises(ModelError, match="end token 2 isn't its highest id"):
        CenterCLIP(pe_core(), tokenizer=word_tokenizer()).encode_text("a red car")


@torch.inference_mode()
def test_the_text_tower_in_numpy_equals_torchs(tmp_path: Path) -> None:
    model = CenterCLIP(pe_core(), tokenizer=clip_tokenizer())
    model.save_pretrained(tmp_path)
    expected, tower = model.encode_text(SENTENCES).numpy(), TextTower(tmp_path)
    np.testing.assert_allclose(tower.encode_text(SENTENCES), expected, rtol=0, atol=1e-6)
    assert tower.matches(probe(lambda texts: model.encode_text(texts).numpy()))
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match="load the whole model"):
        TextTower(tmp_path)


# Costs and precisions


class First(Reducer):
    """Keeps the first tokens, without any operations."""

    def choose(self, tokens: Tokens, k: int) -> torch.Tensor:
        return torch.arange(k).expand(len(tokens.x), -1)


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("schedule", ["none", "B2-2,7", "B1-3,9;B3-2,5"])
@torch.inference_mode()
def test_multiply_adds_are_what_torch_counts(schedule: str, class_token: bool) -> None:
    model = CenterCLIP(pe_core(class_token=class_token), schedule, reducer=First(), frames=4)
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:
        model.encode_segments(FRAMES)
    projected = model.segments * model.backbone.width * model.embed_size  # the head is not part of the tower
    counted = counter.get_total_flops() // 2 // len(FRAMES)
    assert counted - projected == model.backbone.multiply_adds(model.schedule, model.frames)


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_other_precisions_are_close_to_float32(precision: str, class_token: bool) -> None:
    torch.manual_seed(0)
    usual = PECore(pe_core(class_token=class_token).config).eval()  # weights as wide as trained ones
    model = CenterCLIP(usual, "B2-2,16", reducer="sample", frames=4)
    rounded = prepare(model, CPU, precision)
    with torch.inference_mode():
        exact, near = model.encode_segments(FRAMES), rounded.encode_segments(FRAMES)
    assert float((exact * near).sum(-1).min()) > 0.999
    assert not torch.equal(exact, near)


@pytest.mark.parametrize(("reducer", "class_token"), [("kmedoids", True), ("merge", False)])
def test_openvino_equals_torch(reducer: str, class_token: bool) -> None:
    pytest.importorskip("openvino")
    model = CenterCLIP(pe_core(class_token=class_token), "B2-2,8", reducer=reducer, frames=4)
    translated = prepare(model, CPU, "float32", "openvino")
    for videos in (1, 2):
        with torch.inference_mode():
            expected = model.encode_segments(FRAMES[:videos])
            found = translated.encode_segments(FRAMES[:videos])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


# Training


def test_gradients_reach_every_weight_with_checkpointing_too() -> None:
    found = []
    for checkpointing in (False, True):
        model = CenterCLIP(pe_core(), "B2-2,8", frames=4).train()
        if checkpointing:
            model.backbone.model.activation_checkpointing_enable({"use_reentrant": False})
        text = model.encode_text(torch.tensor([[512, 5, 6, 513], [512, 7, 513, 0]]))
        (model.similarity(text, model.encode_video(FRAMES)).sum() * model.logit_scale.exp()).backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        assert not [name for name, gradient in gradients.items() if gradient is None]
        found.append(gradients)
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name])


def test_the_first_blocks_of_both_towers_are_frozen() -> None:
    model = CenterCLIP(pe_core(), "B2-2,8", frames=4)
    freeze_blocks(model, 2)
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    visual, text = "backbone.model.visual.trunk.", "backbone.model.text."
    frozen = (f"{visual}cls_token", f"{visual}pos_embed", f"{visual}patch_embed", f"{visual}norm_pre")
    frozen += (f"{visual}blocks.1", f"{text}token_embedding", f"{text}transformer.resblocks.1")
    assert not [name for name in names if name.startswith(frozen)]
    free = (f"{visual}blocks.2", f"{visual}norm.", f"{visual}attn_pool", f"{text}ln_final")
    for start in (*free, "backbone.model.logit_scale"):
        assert [name for name in names if name.startswith(start)]


@torch.no_grad()
def test_adapters_merge_into_plain_weights() -> None:
    plain = CenterCLIP(pe_core(), "B2-2,8", frames=4)
    with pytest.raises(ConfigError, match=r"targets has q_proj.*fc1, fc2, head, kv, .*qkv"):
        add_lora(plain, Lora())
    model = CenterCLIP(pe_core(), "B2-2,8", frames=4)
    add_lora(model, Lora(rank=2, targets=("qkv", "out_proj")))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.normal_(std=0.3)
    ids = torch.tensor([[512, 5, 6, 513]])
    assert (model.encode_text(ids) - plain.encode_text(ids)).abs().max() > 0.01
    merged = without_lora(model)
    assert merged.backbone.model.state_dict().keys() == plain.backbone.model.state_dict().keys()
    torch.testing.assert_close(merged.encode_video(FRAMES), model.encode_video(FRAMES), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(merged.encode_text(ids), model.encode_text(ids), rtol=1e-4, atol=1e-5)
