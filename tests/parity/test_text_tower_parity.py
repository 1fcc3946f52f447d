"""The numpy text tower compared with `transformers`."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import clip_model, clip_tokenizer, siglip_model, word_tokenizer

from centerclip.errors import ModelError
from centerclip.model import CenterCLIP
from centerclip.model.registry import NANO_FOLDER
from centerclip.model.text import TextTower, probe

SENTENCES = [
    "a black cat",
    "A red CAR drives.",
    "",
    "it's 3 o'clock  at   the café – ☃ <|endoftext|> x",
    "ab " * 90,
]


def saved(folder: Path, **text: object) -> Path:
    CenterCLIP(clip_model(text=text), "none", tokenizer=clip_tokenizer()).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("case", ["gelu", "quick_gelu", "old config", "nano"])
@torch.inference_mode()
def test_sentences_are_encoded_as_in_transformers(case: str, tmp_path: Path) -> None:
    activation = case if "gelu" in case else "gelu"
    folder = NANO_FOLDER if case == "nano" else saved(tmp_path, hidden_act=activation)
    if case == "old config":  # its end token 2 means the highest id
        config = json.loads((folder / "config.json").read_text())
        config["text_config"]["eos_token_id"] = 2
        (folder / "config.json").write_text(json.dumps(config))
    expected = CenterCLIP.from_pretrained(folder).encode_text(SENTENCES).numpy()
    np.testing.assert_allclose(TextTower(folder).encode_text(SENTENCES), expected, rtol=0, atol=1e-6)


def test_a_probe_distinguishes_towers_but_not_precisions(tmp_path: Path) -> None:
    tower, other = TextTower(saved(tmp_path)), CenterCLIP(clip_model(1), tokenizer=clip_tokenizer()).eval()
    model = CenterCLIP.from_pretrained(tmp_path, dtype=torch.bfloat16)

    def probed(model: CenterCLIP) -> str:
        with torch.inference_mode():
            return probe(lambda texts: model.encode_text(texts).float().numpy())

    assert tower.matches(probed(model))
    assert tower.matches(probe(tower.encode_text))
    assert not tower.matches(probed(other))
    assert not tower.matches("")


@pytest.mark.parametrize("damage", ["config.json", "tokenizer.json", "model.safetensors"])
def test_an_incomplete_folder_is_refused(damage: str, tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / damage).unlink()
    with pytest.raises(ModelError, match="text tower alone|no config.json|belongs to another|isn't a CLIP"):
        TextTower(folder)


def test_other_families_and_tokenizers_are_refused(tmp_path: Path) -> None:
    CenterCLIP(siglip_model(), "none", tokenizer=word_tokenizer()).save_pretrained(tmp_path / "siglip")
    small = clip_model(text={"vocab_size": 8, "bos_token_id": 1, "eos_token_id": 2})
    CenterCLIP(small, "none", tokenizer=clip_tokenizer()).save_pretrained(tmp_path / "small")
    for folder in tmp_path.iterdir():
        with pytest.raises(
            ModelError, match="text tower alone|no config.json|belongs to another|isn't a CLIP"
        ):
            TextTower(folder)
