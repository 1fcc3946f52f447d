"""Every family of models: saved and loaded, opened by `transformers`, and refused by name if unsupported."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import FAMILIES, altclip_model, bert_tokenizer, chinese_clip_model, xlm_tokenizer
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoProcessor, AutoTokenizer

from centerclip.embedding.device import prepare
from centerclip.errors import ModelError
from centerclip.model import CenterCLIP, Preprocessing, make_backbone
from centerclip.model.unsupported import family_needs
from centerclip.naming import BACKBONE_CLASSES

SENTENCES = ["a red car", "A blue boat!", "", "red cars " * 10]
FRAMES = torch.randn(2, 6, 3, 16, 16, generator=torch.Generator().manual_seed(0))

PROCESSORS = {
    "clip": "CLIPProcessor",
    "siglip": "SiglipProcessor",
    "metaclip_2": "CLIPProcessor",
    "chinese_clip": "ChineseCLIPProcessor",
    "altclip": "AltCLIPProcessor",
}


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest) -> CenterCLIP:
    make, make_tokenizer = FAMILIES[request.param]
    return CenterCLIP(make(), "B1-3,8;B3-2,6", frames=6, tokenizer=make_tokenizer())


@torch.no_grad()
def test_each_family_comes_back_whole(model: CenterCLIP, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    again = CenterCLIP.from_pretrained(tmp_path)
    assert type(again.backbone) is type(model.backbone)
    assert type(again.backbone.model) is type(model.backbone.model)
    assert again.fingerprint() == model.fingerprint()
    assert CenterCLIP.from_pretrained(tmp_path, dtype=torch.bfloat16).fingerprint() == model.fingerprint()
    assert (again.schedule, again.preprocessing) == (model.schedule, model.preprocessing)
    assert torch.equal(again.encode_video(FRAMES), model.encode_video(FRAMES))
    torch.testing.assert_close(again.encode_text(SENTENCES), model.encode_text(SENTENCES))


@torch.no_grad()
def test_transformers_opens_what_was_saved(model: CenterCLIP, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    hf = AutoModel.from_pretrained(tmp_path)
    assert type(hf) is type(model.backbone.model)
    own, tokenizer = model.backbone.tokenizer, AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer(SENTENCES)["input_ids"] == own(SENTENCES)["input_ids"]
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert type(processor).__name__ == PROCESSORS[model.backbone.family]
    frame = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    pixels = AutoImageProcessor.from_pretrained(tmp_path)(frame, return_tensors="pt")["pixel_values"]
    expected = hf.get_image_features(pixel_values=pixels).pooler_output
    found = model.with_(schedule="none").encode_video(model.preprocess(frame[None, None]))
    torch.testing.assert_close(found, torch.nn.functional.normalize(expected), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_sentence_does_not_depend_on_the_rest_of_its_batch(model: CenterCLIP) -> None:
    together = model.encode_text(SENTENCES)
    torch.testing.assert_close(together, torch.cat([model.encode_text([each]) for each in SENTENCES]))
    short = model.backbone.tokenize(SENTENCES, max_tokens=5)
    assert set(short) == {"input_ids"}
    assert model.encode_text(short).shape == together.shape


@torch.no_grad()
@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_each_family_runs_in_fewer_bits(model: CenterCLIP, precision: str) -> None:
    plain = model.with_(schedule="none")
    rounded = prepare(plain, torch.device("cpu"), precision)
    near = rounded.encode_segments(FRAMES.to(rounded.logit_scale.dtype))
    assert float((plain.encode_segments(FRAMES) * near).sum(-1).min()) > 0.99
    assert (rounded.encode_text(SENTENCES) * plain.encode_text(SENTENCES)).sum(-1).min() > 0.99


def test_fingerprints_tell_families_and_padding_apart() -> None:
    made = {name: CenterCLIP(make()).fingerprint() for name, (make, _) in FAMILIES.items()}
    assert made.pop("siglip 2") == made["siglip"]  # they differ only by what was learned
    assert len(set(made.values())) == len(made)
    for make in (chinese_clip_model, altclip_model):
        other = make()
        other.config.text_config.pad_token_id += 1
        assert CenterCLIP(other).fingerprint() not in made.values()


def test_weights_with_numbers_of_positions_are_read(model: CenterCLIP, tmp_path: Path) -> None:
    """Files of earlier versions of transformers hold them."""
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    roberta = "roberta." if model.backbone.family == "altclip" else ""
    for name, count in ((f"text_model.{roberta}embeddings", 12), ("vision_model.embeddings", 17)):
        weights[f"{name}.position_ids"] = torch.arange(count).expand(1, -1).contiguous()
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert CenterCLIP.from_pretrained(tmp_path).fingerprint() == model.fingerprint()


def test_a_vocabulary_in_a_file_of_its_own_is_read(tmp_path: Path) -> None:
    model = CenterCLIP(chinese_clip_model(), tokenizer=bert_tokenizer())
    model.save_pretrained(tmp_path)
    vocabulary = bert_tokenizer().get_vocab()
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)))
    again = CenterCLIP.from_pretrained(tmp_path)
    expected = model.backbone.tokenize(SENTENCES)["input_ids"]
    assert torch.equal(again.backbone.tokenize(SENTENCES)["input_ids"], expected)


def test_another_models_tokenizer_is_refused() -> None:
    with pytest.raises(ModelError, match="pads with id 1, but the model with 0: use the tokenizer saved"):
        CenterCLIP(chinese_clip_model(), tokenizer=xlm_tokenizer()).encode_text(SENTENCES)
    make, _ = FAMILIES["metaclip_2"]
    with pytest.raises(ModelError, match="doesn't end sentences with the model's end token 2"):
        CenterCLIP(make(), tokenizer=FAMILIES["siglip 2"][1]()).encode_text(["a"])
    broken = altclip_model()
    broken.config.text_config.pad_token_id = None
    with pytest.raises(ModelError, match="pad_token_id is None"):
        make_backbone(broken)


def test_preprocessing_is_the_familys_own(model: CenterCLIP) -> None:
    if model.backbone.family == "siglip":
        half = (0.5, 0.5, 0.5)
        assert model.preprocessing == Preprocessing((16, 16), mean=half, std=half, resize="squash")
    else:
        assert model.preprocessing == Preprocessing((16, 16))


REFUSED = {
    "align": "ALIGN: its vision tower is convolutional, so it has no tokens to cluster: choose a model with",
    "blip": "BLIP: its text tower looks at the picture",
    "blip-2": "BLIP-2: a third tower",
    "bridgetower": "BridgeTower: its towers read each other",
    "clap": "CLAP: it embeds sound",
    "clip_text_model": "only a part of a model",
    "clip_vision_model": "only a part of a model",
    "clipseg": "CLIPSeg: .* choose openai/clip-vit-base-patch16",
    "groupvit": "GroupViT: its vision tower merges patches",
    "jina_clip": "Jina CLIP: its code comes with the weights",
    "owlv2": "OWLv2: it compares words with patches",
    "owlvit": "OWL-ViT: it compares words with patches",
    "pe_audio_video": "PE-AV: a second tower needs every one of the frames",
    "pe_video": "PE Video: a second tower needs every one of the frames",
    "siglip2": "SigLIP 2 NaFlex: .* choose a SigLIP 2 of fixed resolution",
    "siglip_vision_model": "only a part of a model",
    "videoprism": "VideoPrism: a second tower needs every one of the frames",
    "vision-text-dual-encoder": "VisionTextDualEncoder: its towers can be of any kind; write an adapter",
    "xclip": "X-CLIP: its blocks pass messages between frames",
    "bert": "only clip, siglip, .* are; for others, write an adapter",
}


@pytest.mark.parametrize("family", REFUSED)
def test_other_families_are_refused_by_name_with_what_they_need(family: str, tmp_path: Path) -> None:
    if family != "jina_clip":  # whose code isn't part of transformers
        AutoConfig.for_model(family)  # the name is one of transformers' own
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(
        ModelError, match=f"of type '{family}', which isn't supported: .*{REFUSED[family]}"
    ) as error:
        CenterCLIP.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("family", [None, [], 3, "nonsense"])
def test_unknown_families_are_refused(family: Any) -> None:
    needs = family_needs(family)
    assert needs.startswith(f"only {', '.join(BACKBONE_CLASSES)} are; for others, write an adapter")
