"""Checkpoints in open_clip's layout compared with what open_clip itself computes (`open_clip/README.md`)."""

import html
import json
import shutil
import string
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import gemma_tokenizer, word_tokenizer, xlm_tokenizer
from torch.nn.functional import normalize

from centerclip.errors import CheckpointError, ModelError
from centerclip.model import CenterCLIP, Preprocessing
from centerclip.model.checkpoints import read_checkpoint

REFERENCES = Path(__file__).parent / "open_clip"
KINDS = {"siglip": "SiglipModel", "siglip2": "SiglipModel", "metaclip2": "MetaClip2Model"}
HALF = (0.5, 0.5, 0.5)


def put(kind: str, folder: Path) -> Path:
    """Copy a reference with a tokenizer, as models on the hub have one."""
    shutil.copytree(REFERENCES / kind, folder, dirs_exist_ok=True)
    word_tokenizer().save_pretrained(folder)
    return folder


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_both_towers_agree_with_open_clip(kind: str, tmp_path: Path) -> None:
    outputs = load_file(REFERENCES / kind / "outputs.safetensors")
    read = read_checkpoint(REFERENCES / kind / "open_clip_model.safetensors")
    assert type(read).__name__ == KINDS[kind]
    torch.testing.assert_close(read.get_image_features(outputs["pixels"]).pooler_output, outputs["image"])
    torch.testing.assert_close(read.get_text_features(outputs["ids"]).pooler_output, outputs["text"])
    model = CenterCLIP.from_pretrained(put(kind, tmp_path), schedule="none", frames=1)
    assert model.preprocessing == Preprocessing((16, 16), mean=HALF, std=HALF, resize="squash")
    found = model.encode_video(outputs["pixels"][:, None])
    torch.testing.assert_close(found, normalize(outputs["image"]))
    torch.testing.assert_close(model.encode_text(outputs["ids"]), normalize(outputs["text"]))


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_read_is_saved_in_the_layout_of_transformers(kind: str, tmp_path: Path) -> None:
    model = CenterCLIP.from_pretrained(put(kind, tmp_path / "a"), schedule="B1-2,9", frames=4)
    model.save_pretrained(tmp_path / "b")
    again = CenterCLIP.from_pretrained(tmp_path / "b")
    assert again.fingerprint() == model.fingerprint()
    sentences = ["A red, blue car!", "a_boat  drives."]
    torch.testing.assert_close(again.encode_text(sentences), model.encode_text(sentences))
    frames = torch.randn(2, 4, 3, 16, 16)
    torch.testing.assert_close(again.encode_video(frames), model.encode_video(frames))


def canonical(text: str) -> str:
    """What open_clip does to sentences for SigLIP, by its documentation; without ftfy."""
    text = html.unescape(text).replace("_", " ").translate(str.maketrans("", "", string.punctuation))
    return " ".join(text.lower().split())


@pytest.mark.parametrize("make_tokenizer", [word_tokenizer, gemma_tokenizer])
def test_sentences_lose_their_punctuation(make_tokenizer: Any, tmp_path: Path) -> None:
    put("siglip", tmp_path)
    tokenizer = make_tokenizer()
    model = CenterCLIP.from_pretrained(tmp_path, tokenizer=tokenizer)
    sentences = [
        "A red, BLUE car!",
        "  a_boat\t drives. ",
        "(a) [red] {car} ~`^@-a|b\\c d/e",
        "",
        "...",
        string.punctuation,
    ]
    expected = tokenizer(
        [canonical(sentence) for sentence in sentences],
        **{"padding": "max_length", "max_length": 8, "truncation": True, "padding_side": "right"},
    )["input_ids"]
    assert model.backbone.tokenize(sentences)["input_ids"].tolist() == expected
    assert tokenizer("a_b")["input_ids"] != tokenizer("a b")["input_ids"]  # the one given isn't changed


def change(folder: Path, part: str, **changes: Any) -> None:
    path = folder / "open_clip_config.json"
    content = json.loads(path.read_text())
    settings = content["model_cfg"][part] if part else content["model_cfg"]
    for key, value in changes.items():
        if value is None:
            settings.pop(key, None)
        else:
            settings[key] = value
    path.write_text(json.dumps(content))


CONVOLUTIONAL = "its vision tower is convolutional, so it has no tokens to cluster"


@pytest.mark.parametrize(
    ("kind", "part", "changes", "message"),
    [
        ("siglip", "", {"custom": 1}, "sets custom, which is not supported"),
        ("siglip", "vision_cfg", {"timm_pool": "avg"}, "vision_cfg.timm_pool to 'avg', but only 'map'"),
        ("siglip", "vision_cfg", {"timm_proj": None}, r"lacks vision_cfg\.timm_proj"),
        ("siglip", "text_cfg", {"pool_type": "argmax"}, r"text_cfg\.pool_type to 'argmax', but only 'last'"),
        ("siglip", "text_cfg", {"no_causal_mask": None}, r"lacks text_cfg\.no_causal_mask"),
        ("siglip", "text_cfg", {"act_kwargs": {"approximate": "sigmoid"}}, "can't be read"),
        ("siglip", "text_cfg", {"heads": 5}, "the text tower is 24 wide, which can't be split into 5"),
        (
            "siglip",
            "text_cfg",
            {"hf_model_name": "bert-base"},
            "its text tower is bert-base, of another library",
        ),
        (
            "siglip",
            "vision_cfg",
            {"image_size": 32},
            "has 16 positions, but image_size 32 in patches of 4 needs 64",
        ),
        *(
            ("siglip", "vision_cfg", {"timm_model_name": trunk}, f"isn't supported: {trunk}: {needs}")
            for trunk, needs in {
                "convnext_base": CONVOLUTIONAL,
                "resnet50": CONVOLUTIONAL,
                "fastvit_mci1": CONVOLUTIONAL,
                "swin_base_patch4_window7_224": "its vision tower merges patches",
                "vitamin_base_224": "its vision tower merges patches",
                "eva02_base_patch16_clip_224": "its blocks rotate queries and keys by position",
                "vit_base_mci_224": "its patches come out of a stack of convolutions; write an adapter",
                "vit_base_patch16_siglip_gap_224": "of timm's vision towers, only those of SigLIP",
                "vit_medium_patch16_gap_256": "of timm's vision towers, only those of SigLIP .* and PE-Core",
            }.items()
        ),
        ("metaclip2", "vision_cfg", {"layers": [3, 4, 6, 3]}, f"CLIP with a ResNet: {CONVOLUTIONAL}"),
        ("metaclip2", "", {"multimodal_cfg": {}}, "CoCa: its embeddings are pooled by a captioner"),
        (
            "metaclip2",
            "text_cfg",
            {"pool_type": "argmax"},
            "only pool_type 'eos' with an eos_id is supported",
        ),
        ("metaclip2", "text_cfg", {"eos_id": None}, "only pool_type 'eos' with an eos_id is supported"),
    ],
)
def test_other_models_are_refused_with_what_they_need(
    kind: str, part: str, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    change(put(kind, tmp_path), part, **changes)
    with pytest.raises(CheckpointError, match=message) as error:
        CenterCLIP.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = put("siglip", tmp_path) / "open_clip_model.safetensors"
    weights = load_file(path)
    for name, tensor, message in (
        ("visual.trunk.norm.bias", None, "visual.trunk.norm.bias is missing"),
        ("visual.trunk.attn_pool.kv.bias", None, "visual.trunk.attn_pool.in_proj_bias is missing"),
        (
            "visual.trunk.cls_token",
            torch.zeros(1),
            "visual.trunk.cls_token isn't part of a SigLIP of open_clip",
        ),
        ("visual.trunk.blocks.1.attn.qkv.weight", torch.zeros(3, 24), r"has the shape \(3, 24\), but must"),
        ("visual.trunk.patch_embed.proj.weight", torch.zeros(2), "must have 4 dimensions"),
        ("text.ln_final.weight", torch.tensor(1.0), "tensors must be those of a SigLIP"),
        ("logit_bias", torch.full((), torch.nan), "aren't numbers"),
    ):
        changed = {key: value for key, value in {**weights, name: tensor}.items() if value is not None}
        save_file(changed, path)
        with pytest.raises(CheckpointError, match=message):
            CenterCLIP.from_pretrained(tmp_path)


def test_a_file_needs_its_configuration_and_tokenizer(tmp_path: Path) -> None:
    path = put("siglip", tmp_path) / "open_clip_model.safetensors"
    with pytest.raises(CheckpointError, match="own activation setting: leave activation='gelu' out"):
        CenterCLIP.from_pretrained(path, activation="gelu")
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="vocabulary of 12, .*tokenizer=FOLDER"):
        CenterCLIP.from_pretrained(path)
    (tmp_path / "open_clip_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"add its open_clip_config\.json"):
        CenterCLIP.from_pretrained(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("visual.layer1.0.conv1.weight", f"CLIP with a ResNet: {CONVOLUTIONAL}"),
        ("text_decoder.text_projection", "CoCa: its embeddings"),
        ("image_encoder.model.patch_embed.0.weight", f"MobileCLIP: {CONVOLUTIONAL}"),
    ],
)
def test_lone_files_of_other_models_are_refused(name: str, message: str, tmp_path: Path) -> None:
    torch.save({name: torch.zeros(2), "logit_scale": torch.zeros(())}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "a.pt")


def test_metaclip_2_uses_the_tokenizer_of_xlm_v(tmp_path: Path) -> None:
    put("metaclip2", tmp_path)
    model = CenterCLIP.from_pretrained(tmp_path, tokenizer=word_tokenizer())
    assert model.encode_text(["a red car"]).shape == (1, 16)
    with pytest.raises(
        ModelError, match="but the model has 12 tokens: use the tokenizer saved with the model"
    ):
        CenterCLIP.from_pretrained(tmp_path, tokenizer=xlm_tokenizer()).encode_text(["a red car"])
