"""Commands with a PE-Core of a published size and random weights, in both layouts, and with broken ones.

The files are those that are downloaded, with the settings that the published ones have. THOROUGH=1 adds B/16.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch
from broken_pe_cores import BROKEN
from command_line import Run
from page_server import serving
from pe_core_models import official, open_clip_config
from safetensors.torch import save_file
from thorough import THOROUGH
from tiny_models import clip_tokenizer
from videos import make_video

from centerclip.cli.loading import load_encoder
from centerclip.index import VideoIndex
from centerclip.model.pe_core import PECore, PECoreConfig, TextConfig
from centerclip.model.random import pe_core_vision
from centerclip.model.registry import KnownModel, find_known

FRAMES = 2
KINDS = {"timm/PE-Core-S-16-384": "small", "timm/PE-Core-B-16": "base"}

SIZES = tuple(KINDS) if THOROUGH else tuple(KINDS)[:1]
USUAL = ("truncated", "a pointer", "a whole model", "calls", "unknown", "trunk", "other trunk")
"""What users may well meet, and what attackers would try; unit tests load all."""


@pytest.fixture(params=SIZES, scope="module")
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a model in both layouts, `official` and `open_clip`, in half precision."""
    known = find_known(request.param)
    assert known is not None
    folder = tmp_path_factory.mktemp("published")
    _publish(known, folder)
    yield folder
    shutil.rmtree(folder)  # up to 1.8 GB


def _publish(known: KnownModel, folder: Path) -> None:
    text = TextConfig(
        hidden_size=known.text_width,
        num_hidden_layers=known.text_blocks,
        num_attention_heads=known.text_heads,
        intermediate_size=known.text_mlp_width,
        vocab_size=known.vocabulary,
        max_position_embeddings=known.context_length,
    )
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = PECore(PECoreConfig(pe_core_vision(known), text, known.embed_size)).half()
        model.trunk.head.bias.zero_()  # the official layout has none
    for layout in ("official", "open_clip"):
        (folder / layout).mkdir()
        clip_tokenizer().save_pretrained(folder / layout)
    (name,) = (alias.rpartition("/")[2] for alias in known.aliases)
    torch.save(official(model), folder / "official" / f"{name}.pt")
    save_file(model.state_dict(), folder / "open_clip" / "open_clip_model.safetensors")
    config = open_clip_config(
        image_size=known.image_size,
        timm_model_name=f"vit_pe_core_{KINDS[known.name]}_patch{known.patch_size}_{known.image_size}",
    )
    settings = config["model_cfg"]
    settings["embed_dim"] = known.embed_size
    del settings["vision_cfg"]["head_width"]
    settings["text_cfg"] = {
        "context_length": known.context_length,
        "vocab_size": known.vocabulary,
        "width": known.text_width,
        "heads": known.text_heads,
        "layers": known.text_blocks,
    }
    (folder / "open_clip" / "open_clip_config.json").write_text(json.dumps(config))


def test_published_sizes_index_search_serve_and_inspect_in_both_layouts(
    published: Path, run: Run, tmp_path: Path
) -> None:
    index, video = tmp_path / "index", make_video(tmp_path / "short.mp4", frames=FRAMES, rate=2)
    made = run("index", video, "--model", published / "official", "--index", index)
    assert made.code == 0, made.err
    store = VideoIndex(index)
    card = store.model
    assert card is not None
    assert card.reducer == "kmedoids(weighted=true)"
    assert card.schedule.startswith("B6-4,")

    # The other layout is the same model, with the same fingerprint.
    other = ("--model", published / "open_clip")
    hits = {}
    for query in ("a red car", str(video)):
        found = run("search", query, "--index", index, *other, "--tail", "--json")
        assert found.code == 0, found.err
        (hits[query],) = found.records
    assert hits[str(video)]["score"] > 0.99  # of its best segment
    (drawn,) = run("inspect", video, *other, "--json").records
    assert [frame["seconds"] for frame in drawn["frames"]] == [0, 0.5]
    assert sum(len(frame["kept"]) for frame in drawn["frames"]) == drawn["tokens_after"]
    assert drawn["tokens_after"] < drawn["tokens_before"] == FRAMES * drawn["grid"][0] ** 2

    encoder = load_encoder(str(published / "open_clip"), card)
    with serving(store, encoder, cache_folder=tmp_path / "cache") as address:
        answer = httpx.get(f"{address}/api/search", params={"q": "a red car"}, timeout=60).json()
    (hit,) = answer["hits"]
    assert hit["name"] == "short.mp4"
    assert hit["score"] == pytest.approx(hits["a red car"]["score"], abs=0.005)  # bfloat16


@pytest.mark.parametrize("case", BROKEN if THOROUGH else USUAL)
def test_broken_files_end_a_command_with_one_line_and_run_nothing(
    case: str, run: Run, footage: Path, tmp_path: Path
) -> None:
    write, message = BROKEN[case]
    (tmp_path / "model").mkdir()
    path = write(tmp_path / "model")
    done = run("index", footage, "--index", tmp_path / "index", "--model", path)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), done.err
    assert re.search(message, done.err), done.err
    assert done.err.startswith("error: ")
    assert [*Path().iterdir()] == []
    assert not (tmp_path / "index").exists()
