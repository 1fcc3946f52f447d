"""The bundled model: its size, geometry, compatibility and recall."""

from pathlib import Path

import torch
from transformers import AutoTokenizer, CLIPModel

from centerclip.datasets import load_dataset
from centerclip.evaluation import evaluate
from centerclip.lab.toy_world import render_toy_world
from centerclip.model import CenterCLIP
from centerclip.model.registry import NANO_FOLDER


def test_it_is_small_and_has_the_geometry_of_the_paper() -> None:
    assert sum(path.stat().st_size for path in NANO_FOLDER.iterdir()) <= 10_000_000
    model = CenterCLIP.from_pretrained("nano")
    assert (model.backbone.blocks, model.backbone.patches, model.frames) == (12, 49, 12)
    assert str(model.schedule) == "B6-4,49"


def test_transformers_opens_it_and_encodes_the_same_text() -> None:
    plain = CLIPModel.from_pretrained(NANO_FOLDER, dtype=torch.float32).eval()
    tokens = AutoTokenizer.from_pretrained(NANO_FOLDER)(["a small red car"], return_tensors="pt")
    with torch.inference_mode():
        theirs = plain.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
        ours = CenterCLIP.from_pretrained("nano").encode_text(["a small red car"])
    torch.testing.assert_close(ours, torch.nn.functional.normalize(theirs, dim=-1), atol=1e-5, rtol=0)


def test_it_finds_new_videos(tmp_path: Path) -> None:
    render_toy_world(tmp_path, train=0, val=0, test=40, seed=1, workers=1)
    model, dataset = CenterCLIP.from_pretrained("nano"), load_dataset("toy-world", videos=tmp_path)
    reduced, plain = evaluate(model, dataset, schedules=["B6-4,49", "none"])
    # 80 % among 500 videos (docs/reproducing.md); chance among 40 is 2.5 %.
    assert (reduced.text_to_video_ranks <= 1).mean() >= 0.8
    assert (plain.text_to_video_ranks <= 1).mean() >= 0.8
