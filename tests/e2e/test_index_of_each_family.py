"""`index` and `search` with a model of each family and of each layout, as users have them on the disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import Run, assert_refused
from openai_layout import known_model, openai_names, prefixed
from tiny_models import FAMILIES, clip_tokenizer, word_tokenizer

from centerclip.index import VideoIndex
from centerclip.model import CenterCLIP

OPEN_CLIP = Path(__file__).parents[1] / "parity" / "open_clip"


def saved(family: str) -> Callable[[Path], str]:
    def save(folder: Path) -> str:
        make, make_tokenizer = FAMILIES[family]
        make().save_pretrained(folder)
        make_tokenizer().save_pretrained(folder)
        return "B2-4,16"  # the default

    return save


def open_clip(kind: str) -> Callable[[Path], str]:
    def save(folder: Path) -> str:
        shutil.copytree(OPEN_CLIP / kind, folder, dirs_exist_ok=True)
        word_tokenizer().save_pretrained(folder)
        return "B1-4,16"

    return save


def trained(folder: Path) -> str:
    """A checkpoint of CenterCLIP's authors: the file is the model."""
    weights = {**openai_names(known_model()), "visual.position_ids": torch.arange(17)[None]}
    torch.save(prefixed(weights, "clip."), folder / "pytorch_model.bin")
    clip_tokenizer().save_pretrained(folder)
    settings = {"max_frames": 6, "sim_header": "meanP", "cluster_inter": 1, "cluster_algo": "kmediods++"}
    settings |= {
        "target_frames_blocks": [6, 3, 3, 3],
        "cluster_num_blocks": [9] * 4,
        "cluster_threshold": 0.1,
    }
    (folder / "hparams_train.json").write_text(json.dumps(settings))
    return "B1-3,9"


MODELS = {
    **{family: saved(family) for family in FAMILIES if family != "clip"},
    **{f"open_clip {kind}": open_clip(kind) for kind in ("siglip", "metaclip2")},
    "CenterCLIP": trained,
}


@pytest.mark.parametrize("kind", MODELS)
def test_each_family_indexes_and_finds(kind: str, run: Run, footage: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    schedule = MODELS[kind](folder)
    model = folder / "pytorch_model.bin" if kind == "CenterCLIP" else folder
    index = tmp_path / "index"
    made = run("index", footage / "blue.mp4", "--model", model, "--index", index, "--precision", "float32")
    assert made.code == 0, made.err
    warned = f"hparams_train.json beside {model} sets cluster_threshold=0.1, which isn't read" in " ".join(
        made.err.split()
    )
    assert warned == (kind == "CenterCLIP")
    card = VideoIndex(index).model
    assert card is not None
    loaded = CenterCLIP.from_pretrained(model)
    assert (card.schedule, card.fingerprint) == (schedule, loaded.fingerprint())
    for query in ("a red car", str(footage / "blue.mp4")):
        found = run("search", query, "--index", index, "--tail", "--json")
        assert found.code == 0, found.err
        assert [Path(hit["path"]).name for hit in found.records] == ["blue.mp4"]
    assert found.records[0]["score"] > 0.99  # of the video itself


def test_an_unsupported_family_is_refused_in_one_line(run: Run, footage: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "align"}')
    message = "ALIGN: its vision tower is convolutional, so it has no tokens to cluster"
    assert_refused(run, message, "index", footage, "--model", tmp_path, "--index", tmp_path / "index")
