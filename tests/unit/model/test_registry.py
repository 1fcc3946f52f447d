"""The facts about known models agree with each other, with `transformers` and with the bundled model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from centerclip.cli.formats import size
from centerclip.model import CenterCLIP
from centerclip.model.pe_core import PECore, PECoreConfig, TextConfig
from centerclip.model.random import pe_core_vision, random_model
from centerclip.model.registry import (
    CPU_MODEL,
    GEOMETRY,
    GPU_MODEL,
    MULTILINGUAL_MODEL,
    KnownModel,
    default_model,
    find_known,
    models,
    presets,
)

EVERY = pytest.mark.parametrize("known", models(), ids=lambda known: known.name)


@EVERY
def test_every_fact_names_its_source(known: KnownModel) -> None:
    facts = {"name", "license", "languages", "parameters", "download_bytes", "context_length", "geometry"}
    assert set(known.sources) == facts | ({"recall"} if known.recall is not None else set())
    assert all(known.sources.values())
    assert set(GEOMETRY) <= set(KnownModel.__dataclass_fields__)
    assert known.sources["name"] in (f"the page of {known.name} on the hub", "centerclip/model/nano")


@EVERY
def test_the_parameters_are_those_of_the_geometry(known: KnownModel) -> None:
    assert _parameters(known) == known.parameters


@EVERY
def test_a_download_is_four_bytes_per_parameter(known: KnownModel) -> None:
    if known.sources["download_bytes"].startswith("computed"):
        assert known.download_bytes == 4 * known.parameters
    elif known.name != "nano":
        assert known.download_bytes == pytest.approx(4 * known.parameters, rel=0.005)


@EVERY
def test_costs_are_those_of_the_backbone(known: KnownModel) -> None:
    with torch.device("meta"):
        model = random_model(known)
    for preset in presets():
        schedule = model.with_(schedule=preset).schedule
        assert known.schedule(preset) == schedule
        assert known.multiply_adds(preset) == model.backbone.multiply_adds(schedule, 12)
    backbone = model.backbone
    for field in ("blocks", "width", "mlp_width", "heads", "patch_size", "patches", "embed_size"):
        assert getattr(backbone, field) == getattr(known, field), field
    assert backbone.has_class_token == known.class_token


def test_names_are_unique_and_found_in_every_layout() -> None:
    names = [name for known in models() for name in (known.name, *known.aliases)]
    assert len(set(names)) == len(names)
    for known in models():
        for name in (known.name, *known.aliases):
            assert find_known(name) is known
    assert find_known("somebody/else") is None
    assert models()[-1].name == "nano"


def test_the_defaults_are_known() -> None:
    assert default_model(gpu=True) == GPU_MODEL
    assert default_model(gpu=False) == CPU_MODEL
    on_gpu, on_cpu, speaker = map(find_known, (GPU_MODEL, CPU_MODEL, MULTILINGUAL_MODEL))
    assert on_gpu is not None
    assert on_cpu is not None
    assert speaker is not None
    assert speaker.license == "Apache-2.0"
    assert not speaker.only_english
    assert on_cpu.only_english
    assert on_cpu.multiply_adds("balanced") < on_gpu.multiply_adds("fast") / 2


def test_the_bundled_model_is_described() -> None:
    model, known = CenterCLIP.from_pretrained("nano"), find_known("nano")
    assert known
    backbone = model.backbone
    for field in ("blocks", "patch_size", "patches", "width", "mlp_width", "heads", "context_length"):
        assert getattr(backbone, field) == getattr(known, field)
    assert (model.image_size, model.embed_size) == ((known.image_size,) * 2, known.embed_size)
    assert sum(parameter.numel() for parameter in model.parameters()) == known.parameters
    assert model.schedule
    embeddings = model.encode_text(["a red car drives", "A RED car drives", "", "x " * 300])
    assert embeddings.isfinite().all()
    assert torch.equal(embeddings[0], embeddings[1])


def _parameters(known: KnownModel) -> int:
    with torch.device("meta"):
        if known.family == "pe_core":
            model: torch.nn.Module = PECore(_pe_core_config(known))
        elif known.family == "clip":
            model = CLIPModel(_clip_config(known))
        else:
            model = SiglipModel(_siglip(known))
    return sum(parameter.numel() for parameter in model.parameters())


def _towers(known: KnownModel) -> tuple[dict[str, Any], dict[str, Any]]:
    vision = {
        "hidden_size": known.width,
        "intermediate_size": known.mlp_width,
        "num_hidden_layers": known.blocks,
        "num_attention_heads": known.heads,
        "image_size": known.image_size,
        "patch_size": known.patch_size,
    }
    text = {
        "hidden_size": known.text_width,
        "intermediate_size": known.text_mlp_width,
        "num_hidden_layers": known.text_blocks,
        "num_attention_heads": known.text_heads,
        "vocab_size": known.vocabulary,
        "max_position_embeddings": known.context_length,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
    }
    return vision, text


def _clip_config(known: KnownModel) -> CLIPConfig:
    vision, text = _towers(known)
    return CLIPConfig(vision_config=vision, text_config=text, projection_dim=known.embed_size)


def _siglip(known: KnownModel) -> SiglipConfig:
    vision, text = _towers(known)
    return SiglipConfig(vision_config=vision, text_config={**text, "projection_size": known.embed_size})


def _pe_core_config(known: KnownModel) -> PECoreConfig:
    text = TextConfig(
        hidden_size=known.text_width,
        num_hidden_layers=known.text_blocks,
        num_attention_heads=known.text_heads,
        intermediate_size=known.text_mlp_width,
        vocab_size=known.vocabulary,
        max_position_embeddings=known.context_length,
    )
    return PECoreConfig(pe_core_vision(known), text, known.embed_size)


@EVERY
def test_the_docs_state_the_facts(known: KnownModel) -> None:
    docs = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    (row,) = (
        line for line in docs.splitlines() if line.startswith(f"| `{known.name}` |") and line.count("|") == 7
    )
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    assert cells == [
        size(known.download_bytes) if known.download_bytes else "bundled",
        known.license,
        "English" if known.only_english else "many",
        "" if known.recall is None else str(known.recall),
        f"{known.multiply_adds('none') / 1e9:,.0f}",
    ]
    assert all(name in docs for name in (CPU_MODEL, GPU_MODEL, MULTILINGUAL_MODEL))
