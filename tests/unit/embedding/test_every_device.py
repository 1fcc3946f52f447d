"""Models of every family on a GPU: what they embed there is what they embed on the CPU."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from pe_core_models import pe_core
from tiny_models import FAMILIES, clip_model, clip_tokenizer
from token_sets import DEVICES
from videos import make_video

from centerclip.clustering import REDUCERS
from centerclip.embedding import VideoEncoder
from centerclip.embedding.device import prepare
from centerclip.model import CenterCLIP
from centerclip.records import EncodedVideo

MODELS = {**FAMILIES, "pe_core": (pe_core, clip_tokenizer)}
WEIGHTED = [f"{name}(weighted=true)" for name in ("kmedoids", "spectral")]
NEARLY = 1 - 1e-5
"""Cosine of embeddings in float32 whose sums have another order."""


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("family", "reducer"),
    [*((family, WEIGHTED[0]) for family in MODELS), *(("clip", name) for name in (WEIGHTED[1], *REDUCERS))],
)
def test_embeddings_are_those_of_the_cpu(family: str, reducer: str, device: str) -> None:
    clip, tokenizer = MODELS[family]
    model = CenterCLIP(clip(), "B2-2,8", reducer=reducer, frames=4, tokenizer=tokenizer(), temporal=True)
    generator = torch.Generator().manual_seed(5)
    frames = torch.randint(0, 256, (3, 4, 3, *model.image_size), dtype=torch.uint8, generator=generator)
    frames[1, 1] = frames[1, 0]  # computed once
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[2, 3] = False
    there = prepare(copy.deepcopy(model.eval()), torch.device(device), "float32")
    with torch.inference_mode():
        expected = model.encode(model.preprocess(frames), mask)
        found = there.encode(there.preprocess(frames.to(device)), mask)
        for one, other in ((expected.video, found.video), (expected.segments, found.segments)):
            assert (one * other.cpu()).sum(-1).min() > NEARLY
        texts = model.encode_text("a"), there.encode_text("a")
        assert (texts[0] * texts[1].cpu()).sum() > NEARLY


@pytest.mark.parametrize("device", DEVICES)
def test_batches_side_by_side_are_those_of_the_cpu(device: str, tmp_path: Path) -> None:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()
    paths = [make_video(tmp_path / f"{number}.mp4", frames=40 - number) for number in range(4)]

    def vectors(where: str) -> list[np.ndarray]:
        encoder = VideoEncoder(
            model, device=where, precision="float32", window_seconds=1, batch_size=2, workers=2
        )
        results = list(encoder.encode(paths))
        assert all(isinstance(result, EncodedVideo) for result in results)
        return [window.vector for result in results for window in result.windows]

    assert (np.stack(vectors("cpu")) * vectors(device)).sum(1).min() > NEARLY
